package lot

// MaxName is the length of the longest name of a node or a cluster.
const MaxName = 32

// ValidName reports whether s can name a node or a cluster: 1 to 32 of the
// characters a-z, 0-9 and the hyphen.
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > MaxName {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
