//go:build e2e

package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The feature ClusterTrustBundle (GEP-5075) has no test in the upstream suite; these are the ones that
// the GEP asks for. They need a cluster that serves the kind, as hack/cluster's do and not every one
// does. On another it is tested that the feature is not claimed, and what a policy says then.

// TestClusterTrustBundles lets one Gateway be the TLS backend of another.
func TestClusterTrustBundles(t *testing.T) {
	space := namespace(t)
	name := "example.com:" + space + ":ca"
	good, other := newAuthority(t), newAuthority(t)
	backend(t, space)
	tlsGateway(t, space, "back", good)
	httpGateway(t, space, "front", 80)
	programmed(t, space, "back")
	address := programmed(t, space, "front")
	services := made(t, &corev1.ServiceList{}, space, "back").Items
	if len(services) != 1 {
		t.Fatalf("%d Services were made for the Gateway back", len(services))
	}
	httpRoute(t, space, "within", "back", "/within")
	policy(t, space, services[0].Name, name)

	version, served := trustBundles(t)
	if claimed(t) != served {
		t.Errorf("ClusterTrustBundle is claimed: %v; the cluster serves it: %v", !served, served)
	}
	if !served {
		eventually(t, started, "the kind is unknown", func() error {
			return says(t, space, "InvalidKind", "NoValidCACertificate")
		})
		t.Skip("this cluster does not serve ClusterTrustBundles")
	}
	t.Cleanup(func() { remove(t, version, name) })

	invalid := func() error { return says(t, space, "InvalidCACertificateRef", "NoValidCACertificate") }
	refused := func() error { return answers(address, 80, "/within", 500) }
	answered := func() error { return answers(address, 80, "/within", 200) }

	eventually(t, started, "a bundle that does not exist is told", invalid)
	eventually(t, started, "requests are refused without a bundle", refused)

	put(t, version, name, good.pem)
	eventually(t, started, "the bundle is resolved", func() error { return says(t, space, "ResolvedRefs", "Accepted") })
	eventually(t, started, "requests are answered", answered)

	put(t, version, name, other.pem)
	eventually(t, started, "another CA is not trusted", func() error { return answers(address, 80, "/within", 502) })

	put(t, version, name, good.pem)
	eventually(t, started, "the first CA is trusted again", answered)

	remove(t, version, name)
	eventually(t, started, "a bundle that is gone is told", invalid)
	eventually(t, started, "requests are refused after the bundle is gone", refused)
}

// TestClusterTrustBundlesOfClients validates clients with one.
func TestClusterTrustBundlesOfClients(t *testing.T) {
	version, served := trustBundles(t)
	if !served {
		t.Skip("this cluster does not serve ClusterTrustBundles")
	}
	space := namespace(t)
	name := "example.com:" + space + ":clients"
	ca := newAuthority(t)
	put(t, version, name, ca.pem)
	t.Cleanup(func() { remove(t, version, name) })
	backend(t, space)
	tlsGateway(t, space, "gateway", ca, name)
	httpRoute(t, space, "within", "gateway", "/within")
	address := programmed(t, space, "gateway")

	known, stranger := ca.issue(t, "client"), newAuthority(t).issue(t, "client")
	ask := func(pair tls.Certificate) error {
		roots := x509.NewCertPool()
		roots.AddCert(ca.certificate)
		config := &tls.Config{RootCAs: roots, ServerName: "back.example.com", Certificates: []tls.Certificate{pair}}
		once := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}
		response, err := once.Get("https://" + address + "/within")
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %d", response.StatusCode)
		}
		return nil
	}
	eventually(t, started, "a client of the bundle is let in", func() error { return ask(known) })
	if err := ask(stranger); err == nil {
		t.Error("a client of another CA was let in")
	}
}

// tlsGateway makes a Gateway for HTTPS with a certificate for back.example.com, that validates clients
// with these ClusterTrustBundles.
func tlsGateway(t *testing.T, space, name string, ca authority, clients ...string) {
	t.Helper()
	certificate, key := ca.issuePEM(t, "back.example.com")
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: name},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{"tls.crt": certificate, "tls.key": key},
	}
	if err := kube.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	apply(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: {{.Name}}, namespace: {{.Namespace}}}
spec:
  gatewayClassName: {{.Class}}
{{- range .Clients}}
  tls:
    frontend:
      default:
        validation:
          caCertificateRefs: [{group: certificates.k8s.io, kind: ClusterTrustBundle, name: "{{.}}"}]
{{- end}}
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    tls: {certificateRefs: [{name: {{.Name}}}]}
`, map[string]any{"Name": name, "Namespace": space, "Class": class, "Clients": clients})
}

// policy sends requests to the Gateway `front` on to a Service over TLS, with the CAs of a bundle.
func policy(t *testing.T, space, service, bundle string) {
	t.Helper()
	apply(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: over-tls, namespace: {{.Namespace}}}
spec:
  parentRefs: [{name: front}]
  rules: [{backendRefs: [{name: {{.Service}}, port: 443}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: over-tls, namespace: {{.Namespace}}}
spec:
  targetRefs: [{group: "", kind: Service, name: {{.Service}}}]
  validation:
    hostname: back.example.com
    caCertificateRefs: [{group: certificates.k8s.io, kind: ClusterTrustBundle, name: "{{.Bundle}}"}]
`, map[string]string{"Namespace": space, "Service": service, "Bundle": bundle})
}

// says checks the reasons that the policy gives at its one Gateway, at its newest generation.
func says(t *testing.T, space, resolved, accepted string) error {
	var found gatewayv1.BackendTLSPolicy
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: space, Name: "over-tls"}, &found); err != nil {
		return err
	}
	if len(found.Status.Ancestors) != 1 {
		return fmt.Errorf("%d ancestors", len(found.Status.Ancestors))
	}
	for kind, reason := range map[string]string{"ResolvedRefs": resolved, "Accepted": accepted} {
		condition := meta.FindStatusCondition(found.Status.Ancestors[0].Conditions, kind)
		if condition == nil || condition.Reason != reason || condition.ObservedGeneration != found.Generation {
			return fmt.Errorf("%s is not for the reason %s: %+v", kind, reason, condition)
		}
	}
	return nil
}

// claimed is whether our class claims the feature.
func claimed(t *testing.T) bool {
	t.Helper()
	var found gatewayv1.GatewayClass
	if err := kube.Get(t.Context(), client.ObjectKey{Name: class}, &found); err != nil {
		t.Fatal(err)
	}
	is := func(feature gatewayv1.SupportedFeature) bool { return feature.Name == "ClusterTrustBundle" }
	return slices.ContainsFunc(found.Status.SupportedFeatures, is)
}

// trustBundles is the newest version in which the cluster serves the kind.
func trustBundles(t *testing.T) (version string, served bool) {
	t.Helper()
	for _, version := range []string{"v1", "v1beta1", "v1alpha1"} {
		list, err := clientset.Discovery().ServerResourcesForGroupVersion("certificates.k8s.io/" + version)
		if err != nil {
			continue
		}
		is := func(resource metav1.APIResource) bool { return resource.Name == "clustertrustbundles" }
		if slices.ContainsFunc(list.APIResources, is) {
			return version, true
		}
	}
	return "", false
}

func trustBundle(version, name string) *unstructured.Unstructured {
	var bundle unstructured.Unstructured
	bundle.SetGroupVersionKind(schema.GroupVersionKind{
		Group: "certificates.k8s.io", Version: version, Kind: "ClusterTrustBundle",
	})
	bundle.SetName(name)
	return &bundle
}

// put creates or replaces a bundle of the signer in its name.
func put(t *testing.T, version, name, certificates string) {
	t.Helper()
	bundle := trustBundle(version, name)
	parts := strings.Split(name, ":")
	spec := map[string]any{"signerName": parts[0] + "/" + parts[1], "trustBundle": certificates}
	bundle.Object["spec"] = spec
	err := kube.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(bundle),
		client.FieldOwner("e2e"), client.ForceOwnership)
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, version, name string) {
	_ = kube.Delete(t.Context(), trustBundle(version, name))
}

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	wanted := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: fmt.Sprintf("e2e CA %d", time.Now().UnixNano())},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, wanted, wanted, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key, string(block("CERTIFICATE", der))}
}

func (a authority) issuePEM(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	wanted := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	own := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, wanted, a.certificate, own.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8)
}

func (a authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(a.issuePEM(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func block(kind string, der []byte) []byte {
	var text bytes.Buffer
	_ = pem.Encode(&text, &pem.Block{Type: kind, Bytes: der})
	return text.Bytes()
}
