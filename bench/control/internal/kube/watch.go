package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// Watched is a kind of object with its status.
type Watched interface {
	metav1.Object
}

// Seen is what a watch has seen of one object.
type Seen[T Watched] struct {
	// Object is the newest version. It may not be changed.
	Object T
	First  time.Time
	// StatusWrites are the versions whose status differs from that of the version before. A watch
	// gives every version.
	StatusWrites int
	Deleted      bool

	status string
}

// Watch follows all objects of a kind in a namespace.
type Watch[T Watched] struct {
	mutex  sync.Mutex
	seen   map[string]*Seen[T]
	err    error
	status func(T) any
	saw    func(T)
	stop   func()
	done   sync.WaitGroup
	// last is the newest version of all that the watch has given; its own goroutine uses it alone.
	last string
}

// StartWatch begins with what is there now and has the labels. status gives the part that writers of
// statuses write; saw is called for every version, if it is not nil.
func StartWatch[T Watched](ctx context.Context, source watcher, labels string, status func(T) any, saw func(T)) (*Watch[T], error) {
	ctx, cancel := context.WithCancel(ctx)
	options := metav1.ListOptions{LabelSelector: labels}
	follow, err := source.Watch(ctx, options)
	if err != nil {
		cancel()
		return nil, err
	}
	w := &Watch[T]{seen: map[string]*Seen[T]{}, status: status, saw: saw, stop: cancel}
	w.done.Go(func() {
		defer cancel()
		for {
			for event := range follow.ResultChan() {
				w.take(event)
			}
			// The API server ends watches, above all slow ones: the next goes on from the last version.
			options.ResourceVersion = w.last
			if follow, err = source.Watch(ctx, options); err != nil {
				w.fail(err)
				return
			}
		}
	})
	return w, nil
}

type watcher interface {
	Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error)
}

func (w *Watch[T]) take(event watch.Event) {
	object, ok := event.Object.(T)
	if !ok {
		w.fail(fmt.Errorf("the watch says %s: %+v", event.Type, event.Object))
		return
	}
	w.last = object.GetResourceVersion()
	if w.saw != nil {
		w.saw(object)
	}
	text, _ := json.Marshal(w.status(object))
	w.mutex.Lock()
	defer w.mutex.Unlock()
	seen, known := w.seen[object.GetName()]
	if !known {
		seen = &Seen[T]{First: time.Now(), status: string(text)}
		w.seen[object.GetName()] = seen
	}
	if seen.status != string(text) {
		seen.StatusWrites++
	}
	seen.Object, seen.status, seen.Deleted = object, string(text), event.Type == watch.Deleted
}

// fail notes what went wrong; that the watch was stopped is nothing wrong.
func (w *Watch[T]) fail(err error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if !errors.Is(err, context.Canceled) {
		w.err = err
	}
}

// Await waits until enough says yes of all that was seen. It is asked every few milliseconds, and may
// not keep what it is given.
func (w *Watch[T]) Await(ctx context.Context, within time.Duration, what string, enough func(map[string]*Seen[T]) error) (time.Time, error) {
	at := time.Time{}
	err := Await(ctx, within, what, func() error {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		if w.err != nil {
			return w.err
		}
		at = time.Now()
		return enough(w.seen)
	})
	return at, err
}

// StatusWrites adds up the writes of statuses: in all, and the most of one object.
func (w *Watch[T]) StatusWrites() (total, most int) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, seen := range w.seen {
		total, most = total+seen.StatusWrites, max(most, seen.StatusWrites)
	}
	return total, most
}

// Stop ends it.
func (w *Watch[T]) Stop() {
	w.stop()
	w.done.Wait()
}
