package fetch

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
)

func TestANativeProgramFetches(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-A", "b")
		w.WriteHeader(201)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.Header.Get("Content-Type"), body)
	}))
	defer server.Close()
	resp, err := Post(server.URL, "text/plain", []byte("hi"))
	if err != nil || resp.Status != 201 || string(resp.Body) != "POST text/plain hi" || resp.Header.Get("x-A") != "b" {
		t.Errorf("got %+v, %v", resp, err)
	}
	if resp, err = Get(server.URL + "/moved"); err != nil || resp.URL != server.URL+"/" {
		t.Errorf("got %+v, %v", resp, err)
	}
	if resp, err = Do(Request{URL: server.URL + "/moved", Manual: true}); err != nil || resp.Status != 302 {
		t.Errorf("got %+v, %v", resp, err)
	}
	var why *Error
	if _, err = Get("http://127.0.0.1:1/"); !errors.As(err, &why) || why.Code != Failed {
		t.Errorf("got %v", err)
	}
}

func TestARequestIsWrittenAsTheHostReadsIt(t *testing.T) {
	r := Request{URL: "http://a/", Manual: true, Header: Header{"b": {"c", "d"}}}
	if head, err := r.head(); err != nil || head != "GET http://a/ manual\nb: c\nb: d\n" {
		t.Errorf("got %q, %v", head, err)
	}
	for _, r := range []Request{
		{URL: "http://a /"},
		{URL: "http://a/\nb: c"},
		{URL: "http://a/", Method: "GET http://b/"},
		{URL: "http://a/", Header: Header{"b": {"c\nd: e"}}},
		{URL: "http://a/", Header: Header{"b\nc": {"d"}}},
	} {
		var why *Error
		if _, err := Do(r); !errors.As(err, &why) || why.Code != Invalid {
			t.Errorf("%+v: got %v", r, err)
		}
	}
}

func TestAnAnswerIsReadAsTheHostWritesIt(t *testing.T) {
	got, err := parse("201 http://a/\nb: c: d\nb: \n")
	if want := (&Response{Status: 201, URL: "http://a/", Header: Header{"b": {"c: d", ""}}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := parse("nonsense"); err == nil {
		t.Error("nonsense: no error")
	}
}
