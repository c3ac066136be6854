// Package gates runs a lot's gates. Placement says which node runs which gate:
// a pure function of the living nodes and of the claims they made, so that
// nodes with the same view agree without asking. A gate itself is an actor
// with a mailbox, kept alive by a supervisor (Hewitt, Bishop and Steiger 1973;
// Armstrong 2003).
package gates
