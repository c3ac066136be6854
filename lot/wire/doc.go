// Package wire is the schema of what nodes send each other: parking.proto and
// the code generated from it. Nothing here is trusted: lot/crdt and the
// packages of node check each message before they use it.
package wire

//go:generate sh ../../scripts/generate

// Schema is the version of the messages this program writes.
const Schema = 1
