package main

import (
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func testPod(namespace, name, ip string) *core.Pod {
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec: core.PodSpec{Containers: []core.Container{{
			Ports: []core.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}},
		Status: core.PodStatus{PodIP: ip, Phase: core.PodRunning},
	}
}

func testPolicy(name, namespace string, spec networking.NetworkPolicySpec) *networking.NetworkPolicy {
	return &networking.NetworkPolicy{ObjectMeta: meta.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
}

func rulesFor(t *testing.T, pods []*core.Pod, policies ...*networking.NetworkPolicy) string {
	t.Helper()
	spaces := map[string]labels.Set{
		"a": {"team": "a"}, "b": {"team": "b"}, "kube-system": {"kubernetes.io/metadata.name": "kube-system"},
	}
	f := newFirewall("10.1.0.0/24", "10.9.0.2")
	f.take(pods, spaces, policies)
	rules, err := f.ruleset()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

var bothWays = []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress}

func TestWithoutPoliciesOnlyUnknownAddressesAreHeldBack(t *testing.T) {
	want := `add table ip berth_policy
delete table ip berth_policy
table ip berth_policy {
	chain forward {
		type filter hook forward priority filter - 5; policy accept;
		ct state established,related accept
		ip saddr 10.1.0.0/24 ip saddr != { 0.0.0.0, 10.1.0.2 } drop
	}
	chain input {
		type filter hook input priority filter - 5; policy accept;
		ct state established,related accept
		ip saddr 10.1.0.0/24 ip saddr != { 0.0.0.0, 10.1.0.2 } udp dport 53 accept
		ip saddr 10.1.0.0/24 ip saddr != { 0.0.0.0, 10.1.0.2 } drop
	}
}
`
	if got := rulesFor(t, []*core.Pod{testPod("a", "web", "10.1.0.2")}); got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestDefaultDenyIsolatesOnlyItsNamespace(t *testing.T) {
	pods := []*core.Pod{testPod("a", "web", "10.1.0.2"), testPod("b", "other", "10.1.0.3")}
	rules := rulesFor(t, pods, testPolicy("deny", "a", networking.NetworkPolicySpec{PolicyTypes: bothWays}))
	for _, want := range []string{
		"\tchain in0 { # a/web\n\t\treject with icmp type admin-prohibited\n\t}\n",
		"\tchain out0 { # a/web\n\t\treject with icmp type admin-prohibited\n\t}\n",
		"ip saddr vmap { 10.1.0.2 : jump out0 }\n\t\tip daddr vmap { 10.1.0.2 : jump in0 }",
	} {
		if !strings.Contains(rules, want) {
			t.Errorf("missing %q in:\n%s", want, rules)
		}
	}
	if strings.Contains(rules, "10.1.0.3 : jump") {
		t.Errorf("the other namespace is isolated too:\n%s", rules)
	}
}

func TestAnAllowedPeerComesInByTheNamedPort(t *testing.T) {
	port := intstr.FromString("http")
	policy := testPolicy("web", "a", networking.NetworkPolicySpec{
		PodSelector: meta.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		PolicyTypes: []networking.PolicyType{networking.PolicyTypeIngress},
		Ingress: []networking.NetworkPolicyIngressRule{{
			From:  []networking.NetworkPolicyPeer{{NamespaceSelector: &meta.LabelSelector{MatchLabels: labels.Set{"team": "b"}}}},
			Ports: []networking.NetworkPolicyPort{{Port: &port}},
		}},
	})
	pods := []*core.Pod{testPod("a", "web", "10.1.0.2"), testPod("a", "near", "10.1.0.4"), testPod("b", "far", "10.1.0.3")}
	rules := rulesFor(t, pods, policy)
	if !strings.Contains(rules, "ip saddr 10.1.0.3 tcp dport 8080 return\n\t\treject") {
		t.Errorf("the friend is not let in, or not only:\n%s", rules)
	}
	if strings.Contains(rules, "ip saddr 10.1.0.4 ") {
		t.Errorf("a pod of the same namespace is let in:\n%s", rules)
	}
}

func TestABlockWithExceptionsAndAPortRange(t *testing.T) {
	port, end, udp := intstr.FromInt32(9000), int32(9010), core.ProtocolUDP
	policy := testPolicy("out", "a", networking.NetworkPolicySpec{
		PolicyTypes: []networking.PolicyType{networking.PolicyTypeEgress},
		Egress: []networking.NetworkPolicyEgressRule{{
			To: []networking.NetworkPolicyPeer{
				{IPBlock: &networking.IPBlock{CIDR: "192.168.0.0/16", Except: []string{"192.168.7.0/24"}}},
				{IPBlock: &networking.IPBlock{CIDR: "fd00::/8"}},
			},
			Ports: []networking.NetworkPolicyPort{{Port: &port, EndPort: &end, Protocol: &udp}},
		}},
	})
	rules := rulesFor(t, []*core.Pod{testPod("a", "web", "10.1.0.2")}, policy)
	want := "ip daddr 192.168.0.0/16 ip daddr != { 192.168.7.0/24 } udp dport 9000-9010 return"
	if !strings.Contains(rules, want) || strings.Contains(rules, "fd00") {
		t.Errorf("got:\n%s", rules)
	}
}

func TestTheUsualRuleForNamesMeansTheNodesNameServer(t *testing.T) {
	port, udp := intstr.FromInt32(53), core.ProtocolUDP
	policy := testPolicy("names", "a", networking.NetworkPolicySpec{
		PolicyTypes: []networking.PolicyType{networking.PolicyTypeEgress},
		Egress: []networking.NetworkPolicyEgressRule{{
			To: []networking.NetworkPolicyPeer{{
				NamespaceSelector: &meta.LabelSelector{MatchLabels: labels.Set{"kubernetes.io/metadata.name": "kube-system"}},
				PodSelector:       &meta.LabelSelector{MatchLabels: labels.Set{"k8s-app": "kube-dns"}},
			}},
			Ports: []networking.NetworkPolicyPort{{Port: &port, Protocol: &udp}},
		}},
	})
	rules := rulesFor(t, []*core.Pod{testPod("a", "web", "10.1.0.2")}, policy)
	if !strings.Contains(rules, "ip daddr 10.9.0.2 udp dport 53 return\n\t\treject") {
		t.Errorf("got:\n%s", rules)
	}
}

func TestEndedAndHostNetworkPodsAreNoPeers(t *testing.T) {
	ended, host := testPod("a", "ended", "10.1.0.8"), testPod("a", "host", "10.1.0.9")
	ended.Status.Phase = core.PodSucceeded
	host.Spec.HostNetwork = true
	if rules := rulesFor(t, []*core.Pod{ended, host}); strings.Contains(rules, "10.1.0.8") || strings.Contains(rules, "10.1.0.9") {
		t.Errorf("got:\n%s", rules)
	}
}
