// SPDX-License-Identifier: AGPL-3.0-or-later

// Package fault has the few kinds of failure a person or a program can be told of.
// Anything else is internal: it is logged, and the person is told only that it failed.
package fault

import (
	"errors"
	"fmt"
	"net/http"
)

// Kind says what sort of answer a failure deserves.
type Kind int

// The kinds of failure.
const (
	Internal        Kind = iota // ours: logged, never shown
	Invalid                     // the input breaks a rule
	NotFound                    // no such thing in this municipality
	Conflict                    // somebody or something else is in the way
	Forbidden                   // the role does not allow it
	Unauthenticated             // no or bad credentials
	TooLarge                    // over a stated bound
	Throttled                   // too many attempts
	Unavailable                 // try again later
)

var statuses = map[Kind]int{
	Internal:        http.StatusInternalServerError,
	Invalid:         http.StatusUnprocessableEntity,
	NotFound:        http.StatusNotFound,
	Conflict:        http.StatusConflict,
	Forbidden:       http.StatusForbidden,
	Unauthenticated: http.StatusUnauthorized,
	TooLarge:        http.StatusRequestEntityTooLarge,
	Throttled:       http.StatusTooManyRequests,
	Unavailable:     http.StatusServiceUnavailable,
}

// Status is the status by which pages and programs are answered (RFC 9110, section 15).
func (k Kind) Status() int { return statuses[k] }

// Error is a failure with a sentence for people: Key is a key of package locale, Args fill it.
type Error struct {
	Kind Kind
	Key  string
	Args []any
	Err  error
}

// New makes a failure of kind k, told to people by the text key with args.
func New(k Kind, key string, args ...any) *Error { return &Error{Kind: k, Key: key, Args: args} }

// With returns a copy of e that wraps err, the inside story for the log.
func (e *Error) With(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

func (e *Error) Error() string {
	s := e.Key
	if len(e.Args) > 0 {
		s = fmt.Sprintf("%s %v", e.Key, e.Args)
	}
	if e.Err != nil {
		return s + ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf tells the kind of err, Internal when it is none of ours.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is a failure of kind k told by key.
func Is(err error, k Kind, key string) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k && e.Key == key
}
