// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"net/http"
	"strings"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
)

// maxForm bounds the small forms, in bytes.
const maxForm = 64 << 10

var errForm = fault.New(fault.Invalid, "error.invalid")

// readForm reads a form within bounds; one that is too large is a failure of its own.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm.With(err)
	}
	return nil
}

// field is a field of a form as both engines keep it.
func field(r *http.Request, name string) string {
	return strings.TrimSpace(db.Text(r.PostForm.Get(name)))
}
