package member

import (
	"bytes"
	"fmt"
)

// Keys makes use the key that gossip is encrypted with from now on, and accepts
// what comes by it and by beside, if that is not nil: no others. They have 32
// bytes. It returns at once; what is under way may be lost, as any gossip. Calls
// must not overlap.
//
// At most one key changes at a time: memberlist's ring moves the ones behind
// one that is removed within memory that others are reading, so that only the
// last may be.
func (a *Agent) Keys(use, beside []byte) error {
	if err := a.keys.AddKey(use); err != nil {
		return fmt.Errorf("member: keys: %w", err)
	}
	if err := a.keys.UseKey(use); err != nil {
		return fmt.Errorf("member: keys: %w", err)
	}
	all := a.keys.GetKeys()
	for i := len(all) - 1; i > 0; i-- {
		if !bytes.Equal(all[i], beside) {
			if err := a.keys.RemoveKey(all[i]); err != nil {
				return fmt.Errorf("member: keys: %w", err)
			}
		}
	}
	if beside == nil {
		return nil
	}
	if err := a.keys.AddKey(beside); err != nil {
		return fmt.Errorf("member: keys: %w", err)
	}
	return nil
}
