package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func newKeyring(t *testing.T) keyring {
	t.Helper()
	keys := keyring{dir: t.TempDir(), now: time.Now()}
	if err := keys.ensureAuthority("ca"); err != nil {
		t.Fatal(err)
	}
	return keys
}

func serial(t *testing.T, keys keyring, s subject) string {
	t.Helper()
	if err := keys.ensure(s); err != nil {
		t.Fatal(err)
	}
	certificate, _, err := keys.load(s.file)
	if err != nil {
		t.Fatal(err)
	}
	return certificate.SerialNumber.String()
}

func TestACertificateThatIsStillRightIsKept(t *testing.T) {
	keys := newKeyring(t)
	server := subject{authority: "ca", file: "server", commonName: "server", hosts: []string{"10.0.0.1", "server.test"}}
	if first, second := serial(t, keys, server), serial(t, keys, server); first != second {
		t.Errorf("made anew: %s, then %s", first, second)
	}
}

func TestACertificateIsMadeAnewForAnotherAddress(t *testing.T) {
	keys := newKeyring(t)
	first := serial(t, keys, subject{authority: "ca", file: "server", commonName: "server", hosts: []string{"10.0.0.1"}})
	moved := subject{authority: "ca", file: "server", commonName: "server", hosts: []string{"10.0.0.5"}}
	if second := serial(t, keys, moved); first == second {
		t.Error("the certificate of the old address was kept")
	}
	certificate, _, err := keys.load("server")
	if err != nil {
		t.Fatal(err)
	}
	if err := certificate.VerifyHostname("10.0.0.5"); err != nil {
		t.Error(err)
	}
}

func TestACertificateIsMadeAnewBeforeItLapses(t *testing.T) {
	keys := newKeyring(t)
	client := subject{authority: "ca", file: "client", commonName: "somebody", groups: []string{"people"}}
	first := serial(t, keys, client)
	keys.now = keys.now.AddDate(certificateYears, 0, -10)
	if second := serial(t, keys, client); first == second {
		t.Error("a certificate of ten more days was kept")
	}
}

func TestOnlyServersMayServe(t *testing.T) {
	keys := newKeyring(t)
	serial(t, keys, subject{authority: "ca", file: "client", commonName: "somebody"})
	authority, _, err := keys.load("ca")
	if err != nil {
		t.Fatal(err)
	}
	certificate, _, err := keys.load("client")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	use := func(usage x509.ExtKeyUsage) error {
		_, err := certificate.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage}})
		return err
	}
	if err := use(x509.ExtKeyUsageClientAuth); err != nil {
		t.Error(err)
	}
	if use(x509.ExtKeyUsageServerAuth) == nil {
		t.Error("a client's certificate may serve")
	}
}

func TestEveryClientGetsAKubeconfigThatWorksElsewhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	arguments := []string{
		"--dir", dir, "--server", "https://10.0.0.1:6443", "--server-names", "10.0.0.1", "--node", "n", "--node-address", "10.0.0.1",
	}
	if err := runPKI(arguments); err != nil {
		t.Fatal(err)
	}
	for _, name := range kubeconfigs("n") {
		path := filepath.Join(dir, name+".kubeconfig")
		config, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := tls.X509KeyPair(config.CertData, config.KeyData); err != nil || config.Host != "https://10.0.0.1:6443" {
			t.Errorf("%s: host %s, %v", name, config.Host, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others", name)
		}
	}
}

func TestAKeyThatIsNotPEMIsAnErrorThatNamesTheFile(t *testing.T) {
	keys := newKeyring(t)
	if err := os.WriteFile(keys.path("ca.crt"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keys.ensureAuthority("ca"); err == nil {
		t.Error("a broken authority was taken")
	}
}
