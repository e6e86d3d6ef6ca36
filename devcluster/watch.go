package main

import (
	"context"
	"errors"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// settle is the pause between two syncs: a burst of changes becomes one.
const settle = 100 * time.Millisecond

func clientFor(kubeconfig string) (kubernetes.Interface, error) {
	if kubeconfig == "" {
		return nil, errors.New("--kubeconfig is needed")
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// follow calls sync when all informers are filled and after each change until the
// context ends. A sync that fails ends it: whoever keeps the role alive starts it afresh.
func follow(
	ctx context.Context, factory informers.SharedInformerFactory, sync func() error, sources ...cache.SharedIndexInformer,
) error {
	changed := make(chan struct{}, 1)
	wake := func() {
		select {
		case changed <- struct{}{}:
		default: // one is waiting already
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { wake() },
		UpdateFunc: func(any, any) { wake() },
		DeleteFunc: func(any) { wake() },
	}
	for _, source := range sources {
		if _, err := source.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	wake()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		if err := sync(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
	}
}
