// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/staff"
)

func TestDoctorFindsEverythingWell(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.start()
		r := in.try("", "doctor")
		r.want(t, 0, "✓ Database", "✓ No message is held up", "✓ Key", "✓ The clock", "✓ Meta", "✓ The secrets", "✓ Audit trail", "✓ Webhook", "the token is valid", "connected", "its webhooks come here",
			"2 approved", "Everything that is needed works")
		if strings.Contains(r.out, "✗") || strings.Contains(r.out, "{") {
			t.Errorf("it says\n%s", r.out)
		}
		in.stop()
	})
}

// Whatever is broken is told with what to do, and the exit code is 1.
func TestDoctorFindsWhatIsBroken(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	tests := []struct {
		name string
		make func(in *installation)
		args []string
		says []string
	}{
		{"callback elsewhere", func(in *installation) {
			in.control(http.MethodPut, "webhook", map[string]any{"url": "http://127.0.0.1:1/elsewhere"}, nil)
		}, nil, []string{"✗ Number +39 0541 123456: the address of its webhooks is http://127.0.0.1:1/elsewhere", "--fix", "! Webhook"}},
		{"a row of the trail changed", func(in *installation) { in.changeTrail() }, nil, []string{"✗ Audit trail: row no. 1 was changed"}},
		{"fix without serve", nil, []string{"--fix"}, []string{"✗ Number +39 0541 123456: Meta did not accept", "Check that serve runs"}},
		{"number not connected", func(in *installation) {
			in.control(http.MethodPut, "numbers/"+in.phoneNumberID, map[string]any{"status": "PENDING", "quality_rating": "RED"}, nil)
		}, nil, []string{"✗ Number +39 0541 123456: it is not connected (PENDING)", "! Number +39 0541 123456: its quality is RED", "✗ Meta blocks sending (PHONE_NUMBER)"}},
		{"token refused", func(in *installation) {
			in.command("apply", in.file("token.yaml", strings.Replace(testFile, `access_token: "simulator"`, `access_token: "old"`, 1)))
		}, nil, []string{"✗ Number +39 0541 123456: Meta refuses the token", "whatsapp_business_management", "(190)"}},
		{"public address", nil, []string{"--public-url", "http://desk.example.it"}, []string{"✗ Public address: http://desk.example.it is not https"}},
		{"public address malformed", nil, []string{"--public-url", "desk.example.it"}, []string{"✗ Public address: desk.example.it is not an address"}},
		{"Graph away", nil, []string{"--graph-url", "http://127.0.0.1:1"}, []string{"✗ Meta: http://127.0.0.1:1 does not answer"}},
		{"database away", nil, []string{"--database", "postgres://nobody:hunter2@127.0.0.1:1/none"}, []string{"✗ Database: it can’t be used", "FILODIRETTO_DATABASE"}},
		{"key readable by others", func(in *installation) { in.chmodKey(0o644) }, nil, []string{"✗ Key: it can’t be used", "chmod 600"}},
		{"another key", func(in *installation) {
			if err := os.Remove(filepath.Join(in.data, "secret.key")); err != nil {
				t.Fatal(err)
			}
		}, nil, []string{"✗ The municipalities can’t be read", "Bring back the key"}},
	}
	for _, test := range tests { // each leaves what it broke to the next
		t.Run(test.name, func(t *testing.T) {
			in.t = t
			if test.make != nil {
				test.make(in)
			}
			r := in.try("", append([]string{"doctor"}, test.args...)...)
			r.want(t, 1, append(test.says, "marked ✗")...)
			for _, secret := range []string{"hunter2", "{", "verify_token=simulator"} {
				if strings.Contains(r.out+r.problems, secret) {
					t.Errorf("it says %q in\n%s%s", secret, r.out, r.problems)
				}
			}
		})
	}
}

// changeTrail does what somebody with access to the database could.
func (in *installation) changeTrail() {
	in.t.Helper()
	d, err := db.Open(in.t.Context(), db.Options{DSN: in.address})
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if n, err := staff.Seal(in.t.Context(), d); err != nil || n == 0 {
		in.t.Fatalf("%d rows sealed, %v", n, err)
	}
	err = d.Update(in.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE audit SET actor_name = 'nobody' WHERE seq = 1`)
		return err
	})
	if err != nil {
		in.t.Fatal(err)
	}
}

func (in *installation) chmodKey(mode os.FileMode) {
	in.t.Helper()
	if err := os.Chmod(filepath.Join(in.data, "secret.key"), mode); err != nil {
		in.t.Fatal(err)
	}
}

// Everything works without the programs for previews and sounds, but whoever looks is told.
func TestDoctorNamesTheProgramsForFiles(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.start()
	in.try("", "doctor").want(t, 0, "✓ ffmpeg", "✓ pdftoppm")
	t.Setenv("PATH", t.TempDir())
	in.try("", "doctor").want(t, 0, "! ffmpeg", "apt-get install ffmpeg", "! pdftoppm", "apt-get install poppler-utils")
	in.stop()
}

// The callback is set with serve running, since Meta calls it first.
func TestDoctorSetsTheCallback(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.control(http.MethodPut, "webhook", map[string]any{"url": "http://127.0.0.1:1/elsewhere"}, nil)
	in.start()
	in.try("", "doctor").want(t, 1, "the address of its webhooks is http://127.0.0.1:1/elsewhere")
	in.try("", "doctor", "--fix").want(t, 0, "from now on its webhooks come to "+in.url+"/webhooks/whatsapp/prova")
	in.try("", "doctor").want(t, 0, "its webhooks come here")
	in.openConversations(1) // and they do
	in.stop()
}

// An account of two municipalities has one address: doctor must not take it from the other.
func TestDoctorDoesNotTakeASharedAccount(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.start()
	in.try("", "apply", in.file("seconda.yaml", strings.Replace(second, "100000000000002", in.secondNumber(), 1))).want(t, 0)
	in.try("", "doctor", "--fix").want(t, 1, "shared by several municipalities")
	in.try("", "doctor").want(t, 1, "✓ Number +39 0541 123456: its webhooks come here")
	in.stop()
}

// secondNumber registers one more number on the simulator's account.
func (in *installation) secondNumber() string {
	in.t.Helper()
	var made struct {
		PhoneNumberID string `json:"phone_number_id"`
	}
	in.control(http.MethodPost, "accounts", map[string]any{"waba_id": in.waba, "phone_number_id": "100000000000099", "display_number": "+39 0541 999999",
		"verified_name": "Comune di Seconda", "token": "simulator", "app_secret": "simulator", "verify_token": "simulator"}, &made)
	return made.PhoneNumberID
}

func TestDoctorSeesAWrongClock(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.start()
	target, err := url.Parse(in.simulator.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ahead time.Duration
		code  int
		says  string
	}{{0, 0, "✓ The clock is right"}, {2 * time.Minute, 0, "! Clock: it is off by -1"}, {-time.Hour, 1, "✗ Clock: it is off by +3"}} {
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.ModifyResponse = func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(test.ahead).UTC().Format(http.TimeFormat))
			return nil
		}
		server := httptest.NewServer(proxy)
		in.try("", "--graph-url", server.URL, "doctor").want(t, test.code, test.says)
		server.Close()
	}
	in.stop()
}
