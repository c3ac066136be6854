package peer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	"parking/lot/wire"
)

// FuzzLane takes bytes as they come by a lane. Messages come out of them until
// they break off or are malformed, and none takes more memory than what has
// really come.
func FuzzLane(f *testing.F) {
	frame := func(m *wire.PushRequest) []byte {
		body, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	pull := &wire.PushRequest{Version: &wire.Version{Rows: []*wire.Version_Row{
		{Replica: &wire.Replica{Node: "larry", Incarnation: 7}, Max: 9, Cloud: []uint64{11}},
	}}}
	f.Add(frame(&wire.PushRequest{Delta: []byte{5, 1, 2, 3}}))
	f.Add(append(frame(pull), frame(&wire.PushRequest{})...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1, 2})
	f.Add([]byte{0, 0x40, 0, 0, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		end := laneEnd{r: bufio.NewReader(bytes.NewReader(data))}
		took := 0
		for {
			m, err := end.next()
			if end.body.Cap() > 4*len(data)+2*bytes.MinRead {
				t.Fatalf("%d bytes of memory for %d that came", end.body.Cap(), len(data))
			}
			if err != nil {
				if !errors.Is(err, errMalformed) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(err)
				}
				return
			}
			if took += 4 + end.body.Len(); took > len(data) {
				t.Fatalf("messages of %d bytes in %d", took, len(data))
			}
			if back, err := proto.Marshal(m); err != nil || len(back) > maxMessage+maxMessage/2 {
				t.Fatalf("a message of %d bytes: %v", len(back), err)
			}
		}
	})
}
