package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/dns/dnsmessage"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
)

const (
	answerTTL  = 5  // seconds
	answersMax = 25 // what fits into the 512 bytes of a plain answer
)

// zone maps a lower-case name with its final dot to its addresses. A name without
// addresses exists all the same.
type zone map[string][]string

// runDNS answers for Services and for the named pods of headless ones, by UDP and
// IPv4. It forwards nothing: every other name does not exist.
func runDNS(args []string) error {
	flags := flag.NewFlagSet("dns", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig")
	listen := flags.String("listen", "", "UDP address to answer on")
	domain := flags.String("domain", "cluster.local", "domain of the cluster")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *listen == "" {
		return errors.New("--listen is needed")
	}
	client, err := clientFor(*kubeconfig)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	socket, err := net.ListenPacket("udp4", *listen)
	if err != nil {
		return err
	}
	defer socket.Close()
	var current atomic.Pointer[zone]
	go serveDNS(socket, &current)
	factory := informers.NewSharedInformerFactory(client, 0)
	services, slices := factory.Core().V1().Services(), factory.Discovery().V1().EndpointSlices()
	sync := func() error {
		serviceList, err := services.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		sliceList, err := slices.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		fresh := buildZone(*domain, serviceList, sliceList)
		current.Store(&fresh)
		return nil
	}
	return follow(ctx, factory, sync, services.Informer(), slices.Informer())
}

func buildZone(domain string, services []*core.Service, slices []*discovery.EndpointSlice) zone {
	z := zone{}
	headless := map[string]*core.Service{}
	for _, service := range services {
		z[service.Namespace+".svc."+domain+"."] = nil
		name := serviceName(domain, service)
		switch service.Spec.ClusterIP {
		case "": // an ExternalName, or not allocated yet
		case core.ClusterIPNone:
			headless[service.Namespace+"/"+service.Name] = service
			z[name] = nil
		default:
			z[name] = []string{service.Spec.ClusterIP}
		}
	}
	for _, slice := range slices {
		service := headless[slice.Namespace+"/"+slice.Labels[discovery.LabelServiceName]]
		if service != nil && slice.AddressType == discovery.AddressTypeIPv4 {
			z.addEndpoints(serviceName(domain, service), service, slice)
		}
	}
	return z
}

func serviceName(domain string, service *core.Service) string {
	return service.Name + "." + service.Namespace + ".svc." + domain + "."
}

func (z zone) addEndpoints(name string, service *core.Service, slice *discovery.EndpointSlice) {
	for _, endpoint := range slice.Endpoints {
		ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
		if !ready && !service.Spec.PublishNotReadyAddresses {
			continue
		}
		z[name] = append(z[name], endpoint.Addresses...)
		if endpoint.Hostname != nil {
			z[*endpoint.Hostname+"."+name] = endpoint.Addresses
		}
	}
}

// serveDNS answers until the socket is closed. Before the first zone is there it
// stays silent, so that clients ask again.
func serveDNS(socket net.PacketConn, current *atomic.Pointer[zone]) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := socket.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		names := current.Load()
		if err != nil || names == nil {
			continue
		}
		reply, err := names.answer(buffer[:n])
		if err == nil {
			_, err = socket.WriteTo(reply, from)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "a question from %s: %v\n", from, err)
		}
	}
}

// answer replies to one question; a name of the zone asked for another kind of
// record gets an empty answer, not an error.
func (z zone) answer(query []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil {
		return nil, err
	}
	if header.Response {
		return nil, errors.New("that was an answer")
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	addresses, exists := z[strings.ToLower(question.Name.String())]
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, Authoritative: true,
			RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
		},
		Questions: []dnsmessage.Question{question},
	}
	if !exists {
		reply.RCode = dnsmessage.RCodeNameError
	}
	if question.Type == dnsmessage.TypeA {
		reply.Answers = addressRecords(question.Name, addresses)
	}
	return reply.Pack()
}

func addressRecords(name dnsmessage.Name, addresses []string) []dnsmessage.Resource {
	var out []dnsmessage.Resource
	for _, text := range addresses {
		address, err := netip.ParseAddr(text)
		if err != nil || !address.Is4() || len(out) == answersMax {
			continue
		}
		out = append(out, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{
				Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: answerTTL,
			},
			Body: &dnsmessage.AResource{A: address.As4()},
		})
	}
	return out
}
