// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"bytes"
	"image/jpeg"
	"regexp"
	"strconv"
	"testing"
)

func TestPicturesAreOfATelephonesShape(t *testing.T) {
	for name := range subjects {
		one, err := picture(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := jpeg.Decode(bytes.NewReader(one))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if size := drawn.Bounds().Size(); size.X != 720 || size.Y != 960 {
			t.Errorf("%s is %v", name, size)
		}
		other, err := picture(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(one, other) {
			t.Errorf("the pictures of %s are all the same", name)
		}
	}
	if _, err := picture("nothing", 0); err == nil {
		t.Error("there is a picture of nothing")
	}
}

// A reader finds the objects of a PDF by the table at its end.
func TestFormsAreReadable(t *testing.T) {
	for name, form := range forms {
		file := pdf(form.title, form.fields)
		start := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(file)
		if start == nil {
			t.Fatalf("%s has no end", name)
		}
		table, err := strconv.Atoi(string(start[1]))
		if err != nil || !bytes.HasPrefix(file[table:], []byte("xref\n0 7\n")) {
			t.Errorf("%s: the table is not where its end says: %v", name, err)
		}
		for i, row := range regexp.MustCompile(`(\d{10}) 00000 n `).FindAllSubmatch(file[table:], -1) {
			at, err := strconv.Atoi(string(row[1]))
			if want := strconv.Itoa(i+1) + " 0 obj\n"; err != nil || !bytes.HasPrefix(file[at:], []byte(want)) {
				t.Errorf("%s: object %d is not at %d: %v", name, i+1, at, err)
			}
		}
		if !bytes.HasPrefix(file, []byte("%PDF-1.4\n")) {
			t.Errorf("%s has no beginning", name)
		}
	}
}
