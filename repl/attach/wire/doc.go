// Package wire is the schema of what a terminal and the node it is attached to
// say to each other: the code generated from attach.proto.
package wire
