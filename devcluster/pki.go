package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	certificateYears = 1
	renewBefore      = 30 * 24 * time.Hour
)

// keyring keeps the keys and certificates of a cluster in one directory. What is
// there and still right stays, so a cluster that is started again knows its clients.
type keyring struct {
	dir string
	now time.Time
}

// subject is a certificate to be: whose it is, and under which names it serves. One
// without hosts identifies a client only.
type subject struct {
	authority, file, commonName string
	groups, hosts               []string
}

func (k keyring) path(name string) string { return filepath.Join(k.dir, name) }

// ensureAuthority makes NAME.crt and NAME.key unless they are there.
func (k keyring) ensureAuthority(name string) error {
	if _, _, err := k.load(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := k.template("berth-" + name)
	if err != nil {
		return err
	}
	template.NotAfter = k.now.AddDate(10*certificateYears, 0, 0)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	return k.sign(name, template, template, key, key)
}

// ensure makes a certificate unless there is one of this authority with the same
// names that lasts a while.
func (k keyring) ensure(s subject) error {
	authority, authorityKey, err := k.load(s.authority)
	if err != nil {
		return fmt.Errorf("authority %s: %w", s.authority, err)
	}
	current, _, err := k.load(s.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && k.stillRight(current, authority, s) {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := k.template(s.commonName)
	if err != nil {
		return err
	}
	template.Subject.Organization = s.groups
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(s.hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range s.hosts {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return k.sign(s.file, template, authority, key, authorityKey)
}

func (k keyring) stillRight(current, authority *x509.Certificate, s subject) bool {
	if current.CheckSignatureFrom(authority) != nil || k.now.Add(renewBefore).After(current.NotAfter) {
		return false
	}
	if current.Subject.CommonName != s.commonName || len(current.Subject.Organization) != len(s.groups) {
		return false
	}
	for _, host := range s.hosts {
		if current.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

func (k keyring) template(commonName string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    k.now.Add(-time.Hour), // clocks differ a little
		NotAfter:     k.now.AddDate(certificateYears, 0, 0),
	}, nil
}

func (k keyring) sign(file string, template, parent *x509.Certificate, key *ecdsa.PrivateKey, with crypto.Signer) error {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), with)
	if err != nil {
		return err
	}
	if err := k.writeKey(file, key); err != nil {
		return err
	}
	return k.writePEM(file+".crt", "CERTIFICATE", der, 0o644)
}

// ensureTokenKeys makes sa.key, which signs the tokens of service accounts, and
// sa.pub, which verifies them.
func (k keyring) ensureTokenKeys() error {
	_, err := os.Stat(k.path("sa.pub"))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := k.writeKey("sa", key); err != nil {
		return err
	}
	return k.writePEM("sa.pub", "PUBLIC KEY", public, 0o644)
}

func (k keyring) writeKey(name string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return k.writePEM(name+".key", "PRIVATE KEY", der, 0o600)
}

func (k keyring) writePEM(name, kind string, der []byte, mode os.FileMode) error {
	return replaceFile(k.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

// load gives an error that is fs.ErrNotExist when either file is missing.
func (k keyring) load(name string) (*x509.Certificate, crypto.Signer, error) {
	certificateDER, err := k.readPEM(name + ".crt")
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := k.readPEM(name + ".key")
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(certificateDER)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", k.path(name+".crt"), err)
	}
	key, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", k.path(name+".key"), err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("%s: a key that can't sign", k.path(name+".key"))
	}
	return certificate, signer, nil
}

func (k keyring) readPEM(name string) ([]byte, error) {
	text, err := os.ReadFile(k.path(name))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM; remove it to have it made anew", k.path(name))
	}
	return block.Bytes, nil
}

// replaceFile writes whole files only: a start that is cut short leaves no half key.
func replaceFile(path string, content []byte, mode os.FileMode) error {
	if err := os.WriteFile(path+".new", content, mode); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
