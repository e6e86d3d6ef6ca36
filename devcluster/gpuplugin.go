package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	plugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const gpuPoll = time.Second

// gpuPlugin offers GPUs that don't exist to a real kubelet by its device-plugin API.
type gpuPlugin struct {
	plugin.UnimplementedDevicePluginServer
	list func() ([]*plugin.Device, error)
}

func (g *gpuPlugin) GetDevicePluginOptions(context.Context, *plugin.Empty) (*plugin.DevicePluginOptions, error) {
	return &plugin.DevicePluginOptions{}, nil
}

func (g *gpuPlugin) ListAndWatch(_ *plugin.Empty, stream plugin.DevicePlugin_ListAndWatchServer) error {
	sent := ""
	for {
		devices, err := g.list()
		if err != nil {
			return err
		}
		if now := fmt.Sprint(devices); now != sent {
			if err := stream.Send(&plugin.ListAndWatchResponse{Devices: devices}); err != nil {
				return err
			}
			sent = now
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-time.After(gpuPoll):
		}
	}
}

func (g *gpuPlugin) Allocate(_ context.Context, request *plugin.AllocateRequest) (*plugin.AllocateResponse, error) {
	answer := &plugin.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		visible := map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")}
		answer.ContainerResponses = append(answer.ContainerResponses, &plugin.ContainerAllocateResponse{Envs: visible})
	}
	return answer, nil
}

// readDevices parses a device file: an id on each line, followed by "unhealthy" for
// one that is not to be used. Lines that start with # are comments.
func readDevices(path string) ([]*plugin.Device, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []*plugin.Device
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		device := &plugin.Device{ID: words[0], Health: plugin.Healthy}
		if len(words) > 1 && words[1] == "unhealthy" {
			device.Health = plugin.Unhealthy
		}
		out = append(out, device)
	}
	return out, nil
}

func countedDevices(count int) []*plugin.Device {
	var out []*plugin.Device
	for i := range count {
		out = append(out, &plugin.Device{ID: fmt.Sprintf("GPU-fake-%d", i), Health: plugin.Healthy})
	}
	return out
}

// runGPUPlugin serves and registers, and does both again whenever the kubelet was
// started anew: that one empties the directory and forgets its plug-ins.
func runGPUPlugin(args []string) error {
	flags := flag.NewFlagSet("gpu-plugin", flag.ContinueOnError)
	dir := flags.String("dir", plugin.DevicePluginPath, "the kubelet's directory of device plug-ins")
	resource := flags.String("resource", "nvidia.com/gpu", "name of the resource")
	count := flags.Int("count", 0, "how many devices, named GPU-fake-0 and so on")
	file := flags.String("devices", "", "file with the devices instead, read each second")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if (*file == "") == (*count == 0) {
		return errors.New("give either --count or --devices")
	}
	list := func() ([]*plugin.Device, error) { return countedDevices(*count), nil }
	if *file != "" {
		list = func() ([]*plugin.Device, error) { return readDevices(*file) }
	}
	// The kubelet makes its directory too, but it may not have run yet.
	if err := os.MkdirAll(*dir, 0o750); err != nil {
		return err
	}
	for {
		if err := serveGPUs(*dir, *resource, list); err != nil {
			fmt.Fprintln(os.Stderr, "not registered, trying again:", err)
		}
		time.Sleep(gpuPoll)
	}
}

// serveGPUs returns when the socket is gone from the kubelet's directory.
func serveGPUs(dir, resource string, list func() ([]*plugin.Device, error)) error {
	name := strings.NewReplacer("/", "-", ".", "-").Replace(resource) + ".sock"
	path := filepath.Join(dir, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	socket, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	defer server.Stop()
	plugin.RegisterDevicePluginServer(server, &gpuPlugin{list: list})
	go func() {
		if err := server.Serve(socket); err != nil {
			fmt.Fprintln(os.Stderr, "serving ended:", err)
		}
	}()
	if err := register(filepath.Join(dir, "kubelet.sock"), name, resource); err != nil {
		return err
	}
	fmt.Println("registered", resource)
	for {
		if _, err := os.Stat(path); err != nil {
			return nil
		}
		time.Sleep(gpuPoll)
	}
}

func register(kubelet, endpoint, resource string) error {
	connection, err := grpc.NewClient("unix://"+kubelet, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = plugin.NewRegistrationClient(connection).Register(ctx, &plugin.RegisterRequest{
		Version: plugin.Version, Endpoint: endpoint, ResourceName: resource,
	})
	return err
}
