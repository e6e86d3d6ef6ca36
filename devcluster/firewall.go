package main

import (
	"fmt"
	"sort"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	networklisters "k8s.io/client-go/listers/networking/v1"
)

type (
	podLister       = corelisters.PodLister
	namespaceLister = corelisters.NamespaceLister
	policyLister    = networklisters.NetworkPolicyLister
)

// firewall turns pods, namespaces and policies into nftables rules. It only
// computes; two equal states give the same text.
type firewall struct {
	podRange string
	services []*core.Pod // parts of the node that policies know as pods of another cluster
	pods     []*core.Pod
	spaces   map[string]labels.Set
	policies []*networking.NetworkPolicy
}

// newFirewall is for pods of the range. Policies of ordinary clusters let names be
// asked of the pods k8s-app=kube-dns; here that means nameServer (empty: nobody).
func newFirewall(podRange, nameServer string) *firewall {
	f := &firewall{podRange: podRange}
	if nameServer != "" {
		f.services = []*core.Pod{{
			ObjectMeta: meta.ObjectMeta{Namespace: meta.NamespaceSystem, Labels: labels.Set{"k8s-app": "kube-dns"}},
			Status:     core.PodStatus{PodIP: nameServer},
		}}
	}
	return f
}

// take sets the state, keeping the pods that have an address of their own, in a
// fixed order.
func (f *firewall) take(pods []*core.Pod, spaces map[string]labels.Set, policies []*networking.NetworkPolicy) {
	f.spaces = spaces
	for _, pod := range pods {
		if hasOwnAddress(pod) {
			f.pods = append(f.pods, pod)
		}
	}
	sort.Slice(f.pods, func(i, j int) bool { return fullName(f.pods[i]) < fullName(f.pods[j]) })
	f.policies = append(f.policies, policies...)
	sort.Slice(f.policies, func(i, j int) bool { return fullName(f.policies[i]) < fullName(f.policies[j]) })
}

func fullName(o meta.Object) string { return o.GetNamespace() + "/" + o.GetName() }

func hasOwnAddress(pod *core.Pod) bool {
	ended := pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork && !ended
}

// ruleset gives the whole table. A chain for each isolated pod and direction lets
// what is allowed return and rejects the rest.
func (f *firewall) ruleset() (string, error) {
	var chains strings.Builder
	var known, inbound, outbound []string
	for number, pod := range f.pods {
		known = append(known, pod.Status.PodIP)
		ingress, egress, err := f.isolation(pod)
		if err != nil {
			return "", err
		}
		if ingress != nil {
			name := fmt.Sprintf("in%d", number)
			writeChain(&chains, name, fullName(pod), ingress.allowed)
			inbound = append(inbound, pod.Status.PodIP+" : jump "+name)
		}
		if egress != nil {
			name := fmt.Sprintf("out%d", number)
			writeChain(&chains, name, fullName(pod), egress.allowed)
			outbound = append(outbound, pod.Status.PodIP+" : jump "+name)
		}
	}
	var table strings.Builder
	// Declaring the table before deleting it makes the first load like every other.
	table.WriteString("add table ip berth_policy\ndelete table ip berth_policy\ntable ip berth_policy {\n")
	table.WriteString(chains.String())
	f.writeHook(&table, "forward", known, outbound, inbound)
	// Pod to node obeys egress rules. Node to pod, which the probes of the kubelet
	// are, is not hooked at all.
	f.writeHook(&table, "input", known, outbound, nil)
	table.WriteString("}\n")
	return table.String(), nil
}

func writeChain(to *strings.Builder, name, pod string, allowed []string) {
	fmt.Fprintf(to, "\tchain %s { # %s\n", name, pod)
	for _, match := range allowed {
		fmt.Fprintf(to, "\t\t%s return\n", match)
	}
	to.WriteString("\t\treject with icmp type admin-prohibited\n\t}\n")
}

func (f *firewall) writeHook(to *strings.Builder, hook string, known, outbound, inbound []string) {
	fmt.Fprintf(to, "\tchain %s {\n\t\ttype filter hook %s priority filter - 5; policy accept;\n", hook, hook)
	to.WriteString("\t\tct state established,related accept\n")
	if hook == "input" {
		// Name look-ups give nothing away; held back, they would cost a new pod five seconds.
		fmt.Fprintf(to, "\t\tip saddr %s ip saddr != %s udp dport 53 accept\n", f.podRange, addressSet(known))
	}
	// A pod talks only after its address, and so its policies, are known here.
	fmt.Fprintf(to, "\t\tip saddr %s ip saddr != %s drop\n", f.podRange, addressSet(known))
	if len(outbound) > 0 {
		fmt.Fprintf(to, "\t\tip saddr vmap { %s }\n", strings.Join(outbound, ", "))
	}
	if len(inbound) > 0 {
		fmt.Fprintf(to, "\t\tip daddr vmap { %s }\n", strings.Join(inbound, ", "))
	}
	to.WriteString("\t}\n")
}

// addressSet is never empty, since nft has no empty anonymous set.
func addressSet(addresses []string) string {
	return "{ " + strings.Join(append([]string{"0.0.0.0"}, addresses...), ", ") + " }"
}

// direction is the isolation of one pod in one direction.
type direction struct{ allowed []string }

func (f *firewall) isolation(pod *core.Pod) (ingress, egress *direction, err error) {
	for _, policy := range f.policies {
		if policy.Namespace != pod.Namespace {
			continue
		}
		selected, err := matches(&policy.Spec.PodSelector, pod.Labels)
		if err != nil {
			return nil, nil, fmt.Errorf("NetworkPolicy %s: %w", fullName(policy), err)
		}
		if !selected {
			continue
		}
		for _, kind := range policy.Spec.PolicyTypes {
			switch kind {
			case networking.PolicyTypeIngress:
				ingress = extend(ingress, f.ingressMatches(policy, pod))
			case networking.PolicyTypeEgress:
				egress = extend(egress, f.egressMatches(policy))
			}
		}
	}
	return ingress, egress, nil
}

func extend(d *direction, allowed []string) *direction {
	if d == nil {
		d = &direction{}
	}
	d.allowed = append(d.allowed, allowed...)
	return d
}

func (f *firewall) ingressMatches(policy *networking.NetworkPolicy, pod *core.Pod) []string {
	var out []string
	for _, rule := range policy.Spec.Ingress {
		for _, from := range f.peers("saddr", policy.Namespace, rule.From) {
			from.portOwner = pod // named ports are those of the pod that is called
			out = append(out, from.withPorts(rule.Ports)...)
		}
	}
	return out
}

func (f *firewall) egressMatches(policy *networking.NetworkPolicy) []string {
	var out []string
	for _, rule := range policy.Spec.Egress {
		for _, to := range f.peers("daddr", policy.Namespace, rule.To) {
			out = append(out, to.withPorts(rule.Ports)...)
		}
	}
	return out
}

func matches(selector *meta.LabelSelector, set map[string]string) (bool, error) {
	s, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(set)), err
}
