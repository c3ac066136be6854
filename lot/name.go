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

// CheckName refuses (code Usage) what cannot name a node or a cluster; what says
// which of them it was to be.
func CheckName(what, s string) error {
	if ValidName(s) {
		return nil
	}
	return Refuse(Usage, "the %s %.40q is not 1 to %d of a-z, 0-9 and -", what, s, MaxName)
}
