// Go: goroutines that talk through channels. GOMAXPROCS is the number of workers.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

const room = 1024

type setting struct {
	workers int
	quick   bool
}

func (s setting) times(full int) int {
	if s.quick {
		return full/100 + 1
	}
	return full
}

func check(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, "go: "+what)
		os.Exit(1)
	}
}

func sumBelow(n int) int64 { return int64(n) * int64(n-1) / 2 }

func nsEach(start time.Time, n int) float64 { return float64(time.Since(start).Nanoseconds()) / float64(n) }
func millionsPerSecond(start time.Time, n int) float64 {
	return float64(n) / time.Since(start).Seconds() / 1e6
}

func pingpong(how setting) float64 {
	rounds := how.times(2000000)
	there, back := make(chan int64, room), make(chan int64, room)
	go func() {
		for n := range there {
			back <- n
		}
	}()
	var sum int64
	start := time.Now()
	for i := 0; i < rounds; i++ {
		there <- int64(i)
		sum += <-back
	}
	each := nsEach(start, rounds)
	check(sum == sumBelow(rounds), "pingpong: the sum is wrong")
	return each
}

func fanin(how setting, senders int) float64 {
	each := how.times(5000000)/senders + 1
	between := make(chan int64, room)
	start := time.Now()
	for s := 0; s < senders; s++ {
		go func() {
			for i := 0; i < each; i++ {
				between <- int64(i)
			}
		}()
	}
	var sum int64
	for i := 0; i < each*senders; i++ {
		sum += <-between
	}
	rate := millionsPerSecond(start, each*senders)
	check(sum == int64(senders)*sumBelow(each), "fanin: the sum is wrong")
	return rate
}

func ring(how setting) float64 {
	const members = 100
	hops := how.times(2000000) / members * members
	first := make(chan int64, 16)
	in := first
	for i := 1; i < members; i++ {
		out := make(chan int64, 16)
		go func(in, out chan int64) {
			for n := range in {
				out <- n - 1
			}
		}(in, out)
		in = out
	}
	left := int64(hops)
	start := time.Now()
	for left > 0 {
		first <- left - 1
		left = <-in
	}
	each := nsEach(start, hops)
	check(left == 0, "ring: hops are missing")
	return each
}

func resident() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return float64(pages * os.Getpagesize())
}

func idle(how setting, memory bool) float64 {
	count := how.times(1000000)
	var begun sync.WaitGroup
	begun.Add(count)
	before := resident()
	start := time.Now()
	for i := 0; i < count; i++ {
		go func() {
			mailbox := make(chan int64, 1)
			begun.Done()
			<-mailbox
		}()
	}
	begun.Wait()
	each := nsEach(start, count)
	if memory {
		return (resident() - before) / float64(count)
	}
	return each
}

func skynet(parent chan int64, first, leaves int64) {
	if leaves == 1 {
		parent <- first
		return
	}
	mine := make(chan int64, 10)
	for i := int64(0); i < 10; i++ {
		go skynet(mine, first+i*(leaves/10), leaves/10)
	}
	var sum int64
	for i := 0; i < 10; i++ {
		sum += <-mine
	}
	parent <- sum
}
func skynetCase(how setting) float64 {
	leaves := int64(1000000)
	if how.quick {
		leaves = 10000
	}
	start := time.Now()
	result := make(chan int64, 1)
	go skynet(result, 0, leaves)
	sum := <-result
	seconds := time.Since(start).Seconds()
	check(sum == sumBelow(int(leaves)), "skynet: the sum is wrong")
	return seconds
}

type question struct {
	value int64
	reply chan int64
}

func ask(how setting) float64 {
	count := how.times(1000000)
	server := make(chan question, room)
	go func() {
		for q := range server {
			q.reply <- 2 * q.value
		}
	}()
	var sum int64
	start := time.Now()
	for i := 0; i < count; i++ {
		reply := make(chan int64, 1)
		server <- question{int64(i), reply}
		deadline := time.NewTimer(time.Second)
		select {
		case n := <-reply:
			sum += n
		case <-deadline.C:
		}
		deadline.Stop()
	}
	each := nsEach(start, count)
	check(sum == 2*sumBelow(count), "ask: the sum is wrong")
	return each
}

func timer(how setting, others int) float64 {
	for i := 0; i < others; i++ {
		time.AfterFunc(time.Hour+time.Duration(i*7919%86400000)*time.Millisecond, func() {})
	}
	count := how.times(1000000)
	start := time.Now()
	for i := 0; i < count; i++ {
		time.AfterFunc(time.Second, func() {}).Stop()
	}
	return nsEach(start, count)
}

type note struct {
	from  int
	value int64
	ping  bool
}

func big(how setting) float64 {
	members := 500
	if how.quick {
		members = 20
	}
	mail := make([]chan note, members)
	for i := range mail {
		mail[i] = make(chan note, 2*members)
	}
	sums := make(chan int64, members)
	start := time.Now()
	for i := range mail {
		go func(self int) {
			for k := range mail {
				if k != self {
					mail[k] <- note{self, 1, true}
				}
			}
			var sum int64
			for left := 2 * (members - 1); left > 0; left-- {
				n := <-mail[self]
				if n.ping {
					mail[n.from] <- note{self, n.value, false}
				} else {
					sum += n.value
				}
			}
			sums <- sum
		}(i)
	}
	var sum int64
	for range mail {
		sum += <-sums
	}
	messages := 2 * members * (members - 1)
	rate := millionsPerSecond(start, messages)
	check(sum == int64(members*(members-1)), "big: pongs are missing")
	return rate
}

func work(seed, steps uint64) uint64 {
	x := seed*2 + 1
	for i := uint64(0); i < steps; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}
func jobs(how setting, workers int) float64 {
	const count = 400
	runtime.GOMAXPROCS(workers)
	steps := uint64(how.times(1000000))
	start := time.Now()
	results := make(chan uint64, count)
	for i := uint64(0); i < count; i++ {
		go func(seed uint64) { results <- work(seed, steps) & 1 }(i)
	}
	var sum uint64
	for i := 0; i < count; i++ {
		sum += <-results
	}
	seconds := time.Since(start).Seconds()
	check(sum > 0 && sum < count, "cpu: the sum is wrong")
	return seconds
}

type benchCase struct {
	name    string
	workers int
	measure func(setting) float64
}

func main() {
	cases := []benchCase{}
	for _, workers := range []int{1, 2} {
		cases = append(cases,
			benchCase{"pingpong", workers, pingpong},
			benchCase{"stream", workers, func(s setting) float64 { return fanin(s, 1) }},
			benchCase{"fanin", workers, func(s setting) float64 { return fanin(s, 100) }},
			benchCase{"ring", workers, ring},
			benchCase{"skynet", workers, skynetCase},
			benchCase{"big", workers, big})
	}
	cases = append(cases,
		benchCase{"spawn", 1, func(s setting) float64 { return idle(s, false) }},
		benchCase{"idle_bytes", 1, func(s setting) float64 { return idle(s, true) }},
		benchCase{"ask", 1, ask},
		benchCase{"timer", 1, func(s setting) float64 { return timer(s, 10) }},
		benchCase{"timer_1000000", 1, func(s setting) float64 { return timer(s, 1000000) }},
		benchCase{"cpu", 2, func(s setting) float64 { return jobs(s, 1) / jobs(s, s.workers) }})
	for _, senders := range []int{1, 10, 1000} {
		n := senders
		cases = append(cases, benchCase{"fanin_" + strconv.Itoa(n), 2, func(s setting) float64 { return fanin(s, n) }})
	}

	if len(os.Args) == 2 && os.Args[1] == "list" {
		for _, c := range cases {
			fmt.Println("go", c.name, c.workers, "free")
		}
		return
	}
	if len(os.Args) >= 6 && os.Args[1] == "measure" && os.Args[5] == "free" {
		workers, _ := strconv.Atoi(os.Args[4])
		for _, c := range cases {
			if c.name == os.Args[3] && c.workers == workers {
				runtime.GOMAXPROCS(workers)
				fmt.Println(c.measure(setting{workers, len(os.Args) > 6}))
				return
			}
		}
	}
	fmt.Fprintln(os.Stderr, "usage: go_peer list | measure SYSTEM CASE WORKERS PLACEMENT [quick]")
	os.Exit(2)
}
