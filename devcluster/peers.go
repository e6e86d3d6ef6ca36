package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

// peer is one other side of a rule: the nftables match of its address, and the pod
// whose named ports a rule means.
type peer struct {
	match     string
	portOwner *core.Pod
}

// peers resolves the sources or targets of a rule of the given namespace. A selector
// that can't be read selects nothing.
func (f *firewall) peers(field, namespace string, of []networking.NetworkPolicyPeer) []peer {
	if len(of) == 0 {
		return []peer{{}} // everybody
	}
	var out []peer
	for _, one := range of {
		if one.IPBlock != nil {
			out = append(out, blockPeer(field, one.IPBlock)...)
			continue
		}
		for _, pod := range slices.Concat(f.pods, f.services) {
			if f.selects(one, namespace, pod) {
				out = append(out, peer{match: "ip " + field + " " + pod.Status.PodIP, portOwner: pod})
			}
		}
	}
	return out
}

// blockPeer gives nothing for a block of IPv6: the node has none.
func blockPeer(field string, block *networking.IPBlock) []peer {
	prefix, err := netip.ParsePrefix(block.CIDR)
	if err != nil || !prefix.Addr().Is4() {
		return nil
	}
	match := "ip " + field + " " + prefix.Masked().String()
	if len(block.Except) > 0 {
		match += " ip " + field + " != { " + strings.Join(block.Except, ", ") + " }"
	}
	return []peer{{match: match}}
}

func (f *firewall) selects(one networking.NetworkPolicyPeer, namespace string, pod *core.Pod) bool {
	if one.NamespaceSelector == nil {
		if pod.Namespace != namespace {
			return false
		}
	} else if ok, err := matches(one.NamespaceSelector, f.spaces[pod.Namespace]); err != nil || !ok {
		return false
	}
	if one.PodSelector == nil {
		return true
	}
	ok, err := matches(one.PodSelector, pod.Labels)
	return err == nil && ok
}

// withPorts gives one nftables match for each port, or the bare peer without ports.
func (p peer) withPorts(ports []networking.NetworkPolicyPort) []string {
	if len(ports) == 0 {
		return []string{p.match}
	}
	var out []string
	for _, port := range ports {
		if match := p.portMatch(port); match != "" {
			out = append(out, strings.TrimSpace(p.match+" "+match))
		}
	}
	return out
}

func (p peer) portMatch(port networking.NetworkPolicyPort) string {
	protocol := "tcp"
	if port.Protocol != nil {
		protocol = strings.ToLower(string(*port.Protocol))
	}
	if port.Port == nil {
		return "meta l4proto " + protocol
	}
	number := port.Port.IntVal
	if name := port.Port.StrVal; name != "" {
		if number = namedPort(p.portOwner, name); number == 0 {
			return "" // nobody has a port of that name
		}
	}
	if port.EndPort != nil {
		return fmt.Sprintf("%s dport %d-%d", protocol, number, *port.EndPort)
	}
	return fmt.Sprintf("%s dport %d", protocol, number)
}

func namedPort(pod *core.Pod, name string) int32 {
	if pod == nil {
		return 0
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name {
				return port.ContainerPort
			}
		}
	}
	return 0
}
