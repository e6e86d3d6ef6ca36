package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
)

// runNetpol enforces the NetworkPolicy objects of a cluster of one node: the rules
// stand in one nftables table, which is replaced as a whole after each change.
func runNetpol(args []string) error {
	flags := flag.NewFlagSet("netpol", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig")
	podRange := flags.String("pod-range", "", "addresses of the node's pods; one that is not known yet reaches nothing")
	nameServer := flags.String("name-server", "", "address that answers names: the pod k8s-app=kube-dns of policies")
	nft := flags.String("nft", "nft", "the nft program")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *podRange == "" {
		return errors.New("--pod-range is needed")
	}
	client, err := clientFor(*kubeconfig)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	spaces := factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	applied := ""
	sync := func() error {
		rules, err := currentRules(newFirewall(*podRange, *nameServer), pods.Lister(), spaces.Lister(), policies.Lister())
		if err != nil || rules == applied {
			return err
		}
		if err := loadRules(ctx, *nft, rules); err != nil {
			return err
		}
		applied = rules
		return nil
	}
	return follow(ctx, factory, sync, pods.Informer(), spaces.Informer(), policies.Informer())
}

func currentRules(f *firewall, pods podLister, spaces namespaceLister, policies policyLister) (string, error) {
	podList, err := pods.List(labels.Everything())
	if err != nil {
		return "", err
	}
	spaceList, err := spaces.List(labels.Everything())
	if err != nil {
		return "", err
	}
	policyList, err := policies.List(labels.Everything())
	if err != nil {
		return "", err
	}
	spaceLabels := map[string]labels.Set{}
	for _, space := range spaceList {
		spaceLabels[space.Name] = space.Labels
	}
	f.take(podList, spaceLabels, policyList)
	return f.ruleset()
}

func loadRules(ctx context.Context, nft, rules string) error {
	command := exec.CommandContext(ctx, nft, "-f", "-")
	command.Stdin = strings.NewReader(rules)
	if output, err := command.CombinedOutput(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("nft refused the rules: %w\n%s\n%s", err, output, rules)
	}
	return nil
}
