// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import "encoding/binary"

// voiceSample is a silent voice note: Opus, mono, packets of 20 ms.
func voiceSample(seconds int) []byte {
	const preSkip = 312
	head := binary.LittleEndian.AppendUint16([]byte("OpusHead\x01\x01"), preSkip)
	head = binary.LittleEndian.AppendUint32(head, 48000)
	head = append(head, 0, 0, 0) // no gain, channel mapping family 0
	silence := []byte{0xF8, 0xFF, 0xFE}
	packets := make([][]byte, seconds*50)
	for i := range packets {
		packets[i] = silence
	}
	w := &oggWriter{}
	w.page(2, 0, head)
	w.page(0, 0, opusTags())
	w.packets(packets)
	return w.out.Bytes()
}
