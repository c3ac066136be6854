// Package wire is the schema of what a bench and the nodes that it loads say to
// each other: the code generated from bench.proto.
package wire
