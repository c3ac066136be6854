// Package process runs nodes as processes of this host. A group of them has a
// runtime directory and a cookie of its own: its nodes find each other and
// nobody else. What is typed at their prompts, and what becomes of the
// answers, is up to the user of the group.
package process
