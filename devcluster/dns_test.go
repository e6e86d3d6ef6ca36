package main

import (
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func testZone() zone {
	service := func(name, ip string) *core.Service {
		return &core.Service{ObjectMeta: meta.ObjectMeta{Namespace: "a", Name: name}, Spec: core.ServiceSpec{ClusterIP: ip}}
	}
	hostname, ready, waiting := "rank-0", true, false
	slice := &discovery.EndpointSlice{
		ObjectMeta:  meta.ObjectMeta{Namespace: "a", Labels: map[string]string{discovery.LabelServiceName: "gang"}},
		AddressType: discovery.AddressTypeIPv4,
		Endpoints: []discovery.Endpoint{
			{Addresses: []string{"10.1.0.5"}, Hostname: &hostname, Conditions: discovery.EndpointConditions{Ready: &ready}},
			{Addresses: []string{"10.1.0.6"}, Conditions: discovery.EndpointConditions{Ready: &waiting}},
		},
	}
	services := []*core.Service{service("web", "10.2.0.7"), service("gang", core.ClusterIPNone), service("alias", "")}
	return buildZone("cluster.local", services, []*discovery.EndpointSlice{slice})
}

func ask(t *testing.T, name string, kind dnsmessage.Type) (dnsmessage.RCode, []string) {
	t.Helper()
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 77, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	packed, err := query.Pack()
	if err != nil {
		t.Fatal(err)
	}
	answered, err := testZone().answer(packed)
	if err != nil {
		t.Fatal(err)
	}
	var reply dnsmessage.Message
	if err := reply.Unpack(answered); err != nil {
		t.Fatal(err)
	}
	if reply.ID != 77 || !reply.Response {
		t.Errorf("not an answer to the question: %+v", reply.Header)
	}
	var addresses []string
	for _, record := range reply.Answers {
		a := record.Body.(*dnsmessage.AResource).A
		addresses = append(addresses, dnsAddress(a))
	}
	return reply.RCode, addresses
}

func dnsAddress(a [4]byte) string { return (&dnsmessage.AResource{A: a}).GoString() }

func TestNamesOfTheZoneAreAnswered(t *testing.T) {
	one := func(a, b, c, d byte) []string { return []string{dnsAddress([4]byte{a, b, c, d})} }
	for _, c := range []struct {
		name string
		kind dnsmessage.Type
		code dnsmessage.RCode
		want []string
	}{
		{"web.a.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, one(10, 2, 0, 7)},
		{"WEB.a.SVC.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, one(10, 2, 0, 7)},
		{"gang.a.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, one(10, 1, 0, 5)},
		{"rank-0.gang.a.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, one(10, 1, 0, 5)},
		{"web.a.svc.cluster.local.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, nil},
		{"a.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, nil},
		{"nothing.a.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeNameError, nil},
		{"example.com.", dnsmessage.TypeA, dnsmessage.RCodeNameError, nil},
	} {
		code, got := ask(t, c.name, c.kind)
		if code != c.code || len(got) != len(c.want) || (len(got) == 1 && got[0] != c.want[0]) {
			t.Errorf("%s %s: got %s %v", c.name, c.kind, code, got)
		}
	}
}

func TestWhatIsNoQuestionIsNotAnswered(t *testing.T) {
	response := dnsmessage.Message{Header: dnsmessage.Header{Response: true}}
	packed, err := response.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range [][]byte{packed, {1, 2, 3}} {
		if reply, err := testZone().answer(query); err == nil {
			t.Errorf("answered %x with %x", query, reply)
		}
	}
}
