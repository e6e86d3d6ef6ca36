package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

const (
	etcdStartLimit = 60 * time.Second
	etcdQuotaBytes = 1 << 30
)

// runEtcd runs a store of one member until it is told to stop. Clients must show a
// certificate of the given authority.
func runEtcd(args []string) error {
	config, err := etcdConfig(args)
	if err != nil {
		return err
	}
	store, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("starting in %s: %w", config.Dir, err)
	}
	defer store.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-store.Server.ReadyNotify():
	case <-stop:
		return nil
	case err := <-store.Err():
		return err
	case <-time.After(etcdStartLimit):
		return fmt.Errorf("the store in %s was not ready after %s", config.Dir, etcdStartLimit)
	}
	select {
	case <-stop:
		return nil
	case err := <-store.Err():
		return err
	}
}

func etcdConfig(args []string) (*embed.Config, error) {
	flags := flag.NewFlagSet("etcd", flag.ContinueOnError)
	dir := flags.String("data-dir", "", "directory of the store")
	listen := flags.String("listen", "", "client URL, https on loopback")
	peer := flags.String("peer", "", "peer URL on loopback; nobody connects, but the library wants one")
	cert := flags.String("cert", "", "server certificate")
	key := flags.String("key", "", "server key")
	ca := flags.String("client-ca", "", "authority of the clients' certificates")
	fsync := flags.Bool("fsync", false, "sync every write; without it a power cut may lose the last ones")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *dir == "" || *listen == "" || *peer == "" || *cert == "" || *key == "" || *ca == "" {
		return nil, errors.New("--data-dir, --listen, --peer, --cert, --key and --client-ca are all needed")
	}
	clientURL, err := url.Parse(*listen)
	if err != nil {
		return nil, err
	}
	peerURL, err := url.Parse(*peer)
	if err != nil {
		return nil, err
	}
	config := embed.NewConfig()
	config.Name, config.Dir, config.LogLevel = "berth", *dir, "warn"
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*clientURL}, []url.URL{*clientURL}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peerURL}, []url.URL{*peerURL}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = !*fsync
	config.AutoCompactionMode, config.AutoCompactionRetention = "periodic", "10m"
	config.QuotaBackendBytes = etcdQuotaBytes
	config.ClientTLSInfo = transport.TLSInfo{CertFile: *cert, KeyFile: *key, TrustedCAFile: *ca, ClientCertAuth: true}
	return config, nil
}
