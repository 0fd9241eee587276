// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
)

// A film, or a sound in the same container, is a tree of boxes (ISO/IEC 14496-12, 4.2). Some tell where, when and with
// whose device it was taken. Each is overwritten where it stands by an empty one of its length: what is drawn and
// played is found by its place in the file, which must not move.

// films are the types of that container.
var films = []string{"video/mp4", "video/3gpp", "video/3gpp2", "video/quicktime", "audio/mp4"}

// filmTells are the boxes that tell of a film; filmHolds are those that hold others; filmTimes begin with when the film
// was made and changed.
var (
	filmTells = []string{"udta", "meta", "uuid"}
	filmHolds = []string{"moov", "trak", "mdia"}
	filmTimes = []string{"mvhd", "tkhd", "mdhd"}
)

// maxBoxes is how deep boxes that hold others stand in each other, at most.
const maxBoxes = 8

var errNotAFilm = errors.New("not a whole film in boxes")

const sentSuffix = ".sent"

func stripFilm(w io.Writer, content io.Reader) error {
	out := &writer{w: w}
	if err := copyBoxes(out, bufio.NewReaderSize(content, 1<<16), math.MaxInt64, 0); err != nil {
		return errors.Join(err, out.err)
	}
	return out.err
}

// copyBoxes copies boxes of so many bytes, or, at the top, up to the end of r.
func copyBoxes(out *writer, r *bufio.Reader, left int64, depth int) error {
	for left > 0 {
		if _, err := r.Peek(1); depth == 0 && err != nil {
			return nil
		}
		head, size, err := boxHead(r)
		if err != nil || depth > 0 && size > left || depth > maxBoxes {
			return errNotAFilm
		}
		if depth > 0 {
			left -= size
		}
		rest := size - int64(len(head))
		kind := string(head[4:8])
		switch {
		case slices.Contains(filmTells, kind):
			copy(head[4:8], "free")
			out.write(head)
			err = blank(out, r, rest)
		case slices.Contains(filmHolds, kind):
			out.write(head)
			err = copyBoxes(out, r, rest, depth+1)
		case slices.Contains(filmTimes, kind):
			out.write(head)
			err = copyWithoutTimes(out, r, rest)
		case size == math.MaxInt64: // up to the end
			out.write(head)
			_, err = io.Copy(out, r) // and then there is nothing more
		default:
			out.write(head)
			_, err = io.CopyN(out, r, rest)
		}
		if err != nil {
			return errNotAFilm
		}
	}
	return nil
}

// boxHead reads the head of a box and how many bytes the box has with it; one up to the end of the file has the most.
func boxHead(r *bufio.Reader) (head []byte, size int64, err error) {
	head = make([]byte, 8, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, 0, err
	}
	switch size = int64(binary.BigEndian.Uint32(head)); size {
	case 0:
		return head, math.MaxInt64, nil
	case 1:
		head = head[:16]
		if _, err := io.ReadFull(r, head[8:]); err != nil {
			return nil, 0, err
		}
		size = int64(binary.BigEndian.Uint64(head[8:]))
	}
	if size < int64(len(head)) {
		return nil, 0, errNotAFilm
	}
	return head, size, nil
}

// copyWithoutTimes copies the content of a box of filmTimes: its version, its flags and the two times, which are longer
// in version 1.
func copyWithoutTimes(out *writer, r *bufio.Reader, rest int64) error {
	version, err := r.Peek(4)
	if err != nil {
		return err
	}
	times := int64(8)
	if version[0] == 1 {
		times = 16
	}
	if rest < 4+times {
		return errNotAFilm
	}
	if _, err := io.CopyN(out, r, 4); err != nil {
		return err
	}
	if err := blank(out, r, times); err != nil {
		return err
	}
	_, err = io.CopyN(out, r, rest-4-times)
	return err
}

// blank writes zeros in place of so many bytes.
func blank(out *writer, r *bufio.Reader, n int64) error {
	var zeros [4096]byte
	for n > 0 {
		some := min(n, int64(len(zeros)))
		if _, err := r.Discard(int(some)); err != nil {
			return err
		}
		out.write(zeros[:some])
		n -= some
	}
	return out.err
}
