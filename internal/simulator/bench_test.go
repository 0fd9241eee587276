// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// BenchmarkSends is what the simulator takes with its webhooks delivered, clients included; its target is
// 5,000 sends a second on two cores, so that it is never what a benchmark of the desk measures.
func BenchmarkSends(b *testing.B) {
	account := simulator.DefaultAccount()
	account.Throughput = "UNLIMITED"
	server, err := simulator.New(simulator.Options{Delays: quick(), Accounts: []simulator.Account{account}, Data: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	web := httptest.NewServer(server.Handler())
	defer web.Close()
	var received atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		posted, _ := io.ReadAll(r.Body)
		received.Add(int64(bytes.Count(posted, []byte(`"status":`))))
	}))
	defer hook.Close()
	request(b, "PUT", web.URL+"/simulator/webhook", fmt.Sprintf(`{"url":%q,"app_secret":"s","verify_token":"v"}`, hook.URL))
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 256
	body := `{"name":"avviso","language":{"code":"it"},"components":[{"type":"body","parameters":[{"type":"text","text":"chiusura di via Po"}]}]}`
	var seq atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := seq.Add(1)
			request(b, "POST", web.URL+"/v26.0/"+number+"/messages", fmt.Sprintf(
				`{"messaging_product":"whatsapp","to":"+39347%07d","type":"template","biz_opaque_callback_data":"%d","template":%s}`, n%9_999_999, n, body))
		}
	})
	b.ReportMetric(float64(seq.Load())/b.Elapsed().Seconds(), "sends/s")
	b.ReportMetric(float64(received.Load())/b.Elapsed().Seconds(), "statuses/s")
}

func request(b *testing.B, method, url, body string) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer simulator")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		b.Errorf("%s %d: %s", url, resp.StatusCode, answer)
	}
}
