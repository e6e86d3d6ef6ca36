// Command devcluster is the Kubernetes that Berth carries with it: every component
// of a cluster of one machine in one executable, picked by the first argument.
//
// Each role runs in a process of its own. Upstream's components can't share one:
// their signal set-up panics when it is done twice, logging options may be applied
// once only, and feature gates and metric registries are globals.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	_ "time/tzdata" // CronJobs name time zones that a bare machine may not have

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// upstream holds the components that are taken as they are. The functions build a
// command only when called: building one touches process-wide state.
var upstream = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

// own holds the roles that are written here.
var own = map[string]func(args []string) error{
	"etcd":       runEtcd,
	"netpol":     runNetpol,
	"dns":        runDNS,
	"gpu-plugin": runGPUPlugin,
	"pki":        runPKI,
	"node":       runHolder,
}

func main() {
	if filepath.Base(os.Args[0]) == "kubectl" { // a link of that name
		os.Args = append([]string{os.Args[0], "kubectl"}, os.Args[1:]...)
	}
	if len(os.Args) < 2 {
		usage("no role given")
	}
	role, args := os.Args[1], os.Args[2:]
	if run, ok := own[role]; ok {
		if err := run(args); err != nil {
			fmt.Fprintf(os.Stderr, "devcluster %s: %v\n", role, err)
			os.Exit(1)
		}
		return
	}
	build, ok := upstream[role]
	if !ok {
		usage(fmt.Sprintf("unknown role %q", role))
	}
	// kubectl's plugin handling reads os.Args itself.
	os.Args = append([]string{role}, args...)
	command := build()
	command.SetArgs(args)
	os.Exit(cli.Run(command))
}

func usage(problem string) {
	var roles []string
	for name := range own {
		roles = append(roles, name)
	}
	for name := range upstream {
		roles = append(roles, name)
	}
	sort.Strings(roles)
	fmt.Fprintf(os.Stderr, "devcluster: %s\nusage: devcluster ROLE [ARGUMENT...], where ROLE is one of: %s\n",
		problem, strings.Join(roles, ", "))
	os.Exit(2)
}
