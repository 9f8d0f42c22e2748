package outbound_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/host/outbound"
)

// private are addresses that must not be reached unless somebody names them.
var private = []string{
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
	"127.0.0.1", "127.1.2.3", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192",
	"192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
	"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
	"64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:db8::1",
	"2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
}

func TestPrivateAddressesAreOutOfReach(t *testing.T) {
	reached := false
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { reached = true }, outbound.Config{})
	w.allow("*")
	port := w.server.URL[strings.LastIndexByte(w.server.URL, ':'):]
	for _, ip := range private {
		host := ip
		if strings.Contains(ip, ":") {
			host = "[" + ip + "]"
		}
		_, err := w.get("http://" + host + port + "/")
		expect(t, ip, err, abi.FetchRefused, "no public address")
	}
	// Other ways to write 127.0.0.1, which some resolvers know.
	for _, host := range []string{
		"2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "127.1", "127.0.1", "0x7f.0x0.0x0.0x1", "017700000001", "127.0.0.1.",
		"[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::1%25lo]", "1.2.3.4.5", "1.2.3.256",
	} {
		if _, err := w.get("http://" + host + port + "/"); err == nil {
			t.Errorf("%s: no error", host)
		}
	}
	if reached {
		t.Error("the server was reached")
	}
}

// resolver answers every question for an address with those of its name.
func resolver(names map[string][]string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go serveDNS(server, names)
		return client, nil
	}}
}

// serveDNS speaks DNS over a stream: RFC 1035, with as little as a test needs.
func serveDNS(c net.Conn, names map[string][]string) {
	defer c.Close()
	for {
		size := make([]byte, 2)
		if _, err := io.ReadFull(c, size); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		reply := answerDNS(query, names)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

func answerDNS(query []byte, names map[string][]string) []byte {
	name, end := "", 12
	for query[end] != 0 {
		n := int(query[end])
		name += string(query[end+1:end+1+n]) + "."
		end += n + 1
	}
	question := query[12 : end+5]
	kind := binary.BigEndian.Uint16(query[end+1:])
	addresses, known := names[strings.TrimSuffix(name, ".")]
	var answers []byte
	count := 0
	for _, text := range addresses {
		ip := netip.MustParseAddr(text)
		if kind == 1 && ip.Is4() || kind == 28 && ip.Is6() {
			count++
			answers = append(answers, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(ip.BitLen()/8))
			answers = append(answers, ip.AsSlice()...)
		}
	}
	code := byte(0)
	if !known {
		code = 3
	}
	reply := append([]byte{query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, byte(count), 0, 0, 0, 0}, question...)
	return append(reply, answers...)
}

func TestNamesThatLeadToPrivateAddresses(t *testing.T) {
	names := map[string][]string{"allowed.example": {"127.0.0.1"}, "both.example": {"10.0.0.1", "127.0.0.1"}}
	for i, ip := range private {
		names[fmt.Sprintf("n%d.rebind.example", i)] = []string{ip}
	}
	reached := 0
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { reached++ }, outbound.Config{Resolver: resolver(names)})
	port := w.server.URL[strings.LastIndexByte(w.server.URL, ':'):]
	for _, patterns := range [][]string{{"*"}, {"*.rebind.example", "*.example"}} {
		w.allow(patterns...)
		for name := range names {
			_, err := w.get("http://" + name + port)
			expect(t, name, err, abi.FetchRefused, "no public address")
		}
	}
	if reached > 0 {
		t.Fatal("the server was reached")
	}
	w.allow("allowed.example", "*")
	if _, err := w.get("http://allowed.example" + port); err != nil || reached != 1 {
		t.Errorf("a host that is named: %v", err)
	}
	// The connection is open now; a function that does not name the host has no part in it.
	w.allow("*")
	_, err := w.get("http://allowed.example" + port)
	expect(t, "another function", err, abi.FetchRefused, "no public address")
}

func TestThisMachineIsNoPublicAddress(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil, outbound.Config{})
	w.allow("*")
	for _, a := range own {
		ip := netip.MustParsePrefix(a.String()).Addr()
		_, err := w.get("http://" + netip.AddrPortFrom(ip, 80).String())
		expect(t, ip.String(), err, abi.FetchRefused, "no public address")
	}
}
