package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"
)

// runPKI makes every key, certificate and kubeconfig of a cluster in one directory.
func runPKI(args []string) error {
	flags := flag.NewFlagSet("pki", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory for all of it")
	server := flags.String("server", "", "URL of the API server, for the kubeconfigs")
	names := flags.String("server-names", "", "addresses and names that the API server is called by, comma-separated")
	node := flags.String("node", "", "name of the node; empty: no node")
	nodeAddress := flags.String("node-address", "", "address of the node")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" || *server == "" || *names == "" || (*node != "" && *nodeAddress == "") {
		return errors.New("--dir, --server and --server-names are needed, and --node-address with --node")
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	keys := keyring{dir: *dir, now: time.Now()}
	for _, authority := range []string{"ca", "etcd-ca", "front-proxy-ca"} {
		if err := keys.ensureAuthority(authority); err != nil {
			return err
		}
	}
	if err := keys.ensureTokenKeys(); err != nil {
		return err
	}
	for _, s := range subjects(strings.Split(*names, ","), *node, *nodeAddress) {
		if err := keys.ensure(s); err != nil {
			return fmt.Errorf("certificate %s: %w", s.file, err)
		}
	}
	for _, client := range kubeconfigs(*node) {
		if err := keys.writeKubeconfig(client, *server); err != nil {
			return fmt.Errorf("kubeconfig of %s: %w", client, err)
		}
	}
	return nil
}

func subjects(serverNames []string, node, nodeAddress string) []subject {
	inCluster := []string{
		"127.0.0.1", "localhost", "kubernetes", "kubernetes.default",
		"kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}
	all := []subject{
		{authority: "etcd-ca", file: "etcd", commonName: "etcd", hosts: []string{"127.0.0.1", "localhost"}},
		{authority: "etcd-ca", file: "etcd-client", commonName: "kube-apiserver"},
		{authority: "ca", file: "apiserver", commonName: "kube-apiserver", hosts: append(inCluster, serverNames...)},
		{authority: "ca", file: "kubelet-client", commonName: "kube-apiserver-kubelet-client"},
		{authority: "front-proxy-ca", file: "front-proxy-client", commonName: "front-proxy-client"},
		{authority: "ca", file: "admin", commonName: "berth-admin", groups: []string{"system:masters"}},
		{authority: "ca", file: "kube-controller-manager", commonName: "system:kube-controller-manager"},
		{authority: "ca", file: "kube-scheduler", commonName: "system:kube-scheduler"},
	}
	if node == "" {
		return all
	}
	// Node authorization and NodeRestriction go by the name in the certificate.
	name, nodes := "system:node:"+node, []string{"system:nodes"}
	return append(all,
		subject{authority: "ca", file: "kubelet", commonName: name, groups: nodes},
		subject{authority: "ca", file: "kubelet-serving", commonName: name, groups: nodes, hosts: []string{node, nodeAddress}},
		subject{authority: "ca", file: "kube-proxy", commonName: "system:kube-proxy"},
		subject{authority: "ca", file: "netpol", commonName: "berth:netpol"},
		subject{authority: "ca", file: "dns", commonName: "berth:dns"},
	)
}

func kubeconfigs(node string) []string {
	names := []string{"admin", "kube-controller-manager", "kube-scheduler"}
	if node != "" {
		names = append(names, "kubelet", "kube-proxy", "netpol", "dns")
	}
	return names
}

// writeKubeconfig embeds the certificates, so the file works wherever it is copied.
func (k keyring) writeKubeconfig(name, server string) error {
	authority, err := os.ReadFile(k.path("ca.crt"))
	if err != nil {
		return err
	}
	certificate, err := os.ReadFile(k.path(name + ".crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(k.path(name + ".key"))
	if err != nil {
		return err
	}
	config := api.NewConfig()
	config.Clusters["berth"] = &api.Cluster{Server: server, CertificateAuthorityData: authority}
	config.AuthInfos[name] = &api.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts["berth"] = &api.Context{Cluster: "berth", AuthInfo: name}
	config.CurrentContext = "berth"
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(k.dir, name+".kubeconfig"), text, 0o600)
}
