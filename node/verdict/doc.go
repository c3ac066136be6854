// Package verdict judges a session: by the histories of all nodes, and by what
// the living ones hold, it says whether the promises of the ledger were kept.
//
// It knows nothing of the kernel that keeps the lot. Its own model is plain: a
// change is what a node's history says it made, in the order in which that node
// saw others' changes; an entry is in the lot as long as no change of its plate
// is there that was made by a node in whose lot it was. So a concurrent exit does
// not take an entry out: add wins (Shapiro et al. 2011, section 3.3.5).
package verdict
