// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import "strings"

// Text is s as both engines keep it: PostgreSQL refuses NUL bytes, and bytes that are no UTF-8 (22021). Every
// text that a person or a program writes goes through it.
func Text(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "") }
