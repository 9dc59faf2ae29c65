// One run of the order pipeline in one layout; see layout_run.hpp.
#include "layout_run.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "demo/process.hpp"
#include "demo/text.hpp"
#include "orders/ledger.hpp"

namespace demo {

using namespace std::chrono_literals;
using orders::placement;

namespace {

constexpr troupe::duration longest_start = 20s;    // of one process, until it listens
constexpr troupe::duration longest_silence = 30s;  // of the ledger, without a new line
constexpr troupe::duration longest_stop = 10s;
constexpr char cut_off[] = "payment";  // the host that is

class layout_run {
 public:
  layout_run(orders::layout which, const orders::plan& plan, std::uint64_t lines, const options& given,
             const hosts* on, display& screen)
      : which_(which),
        title_("orders: " + std::string(to_string(which)) + ": "),
        plan_(plan),
        lines_(lines),
        given_(given),
        hosts_(on),
        screen_(screen),
        processes_(orders::deployment(which)),
        running_(given.verbose) {}

  run_end run() {
    if (!given_.kill.empty() && !kills()) screen_.line(title_ + "all stages are one process: none is killed");
    if (start_all() && work()) stop_all();
    if (!end_.interrupted && !end_.failure.empty()) explain();
    if (end_.interrupted || !end_.failure.empty()) {
      running_.end_all();
      std::error_code ignored;
      std::filesystem::remove(orders::partial_of(plan_.ledger_file), ignored);
    }
    return end_;
  }

 private:
  bool start_all() {
    for (const placement& p : processes_) {
      const std::string name(p.node);
      const int space = hosts_ != nullptr ? hosts_->network().space(name) : -1;
      const auto pid = running_.start(name, "orders", command(p), space);
      if (!pid) return fail(pid.error().text);
      pids_[std::string(p.node)] = *pid;
      const troupe::instant until = troupe::os_env().now() + longest_start;
      while (notes_[std::string(p.node)].empty()) {
        if (!step(until)) return false;
      }
    }
    return true;
  }

  std::vector<std::string> command(const placement& p) const {
    std::vector<std::string> words = {"--node", std::string(p.node), "--io", given_.io};
    const auto add = [&](const char* flag, std::string value) {
      words.emplace_back(flag);
      words.push_back(std::move(value));
    };
    if (hosts_ != nullptr) {
      for (std::string& word : hosts_->flags(std::string(p.node))) words.push_back(std::move(word));
    } else if (processes_.size() > 1) {
      add("--listen", "tcp://127.0.0.1:0");
    }
    if (which_ == orders::layout::tcp) add("--lanes", "tcp");
    if (given_.workers > 0) add("--workers", std::to_string(given_.workers));
    for (const placement& other : processes_) {
      const auto url = urls_.find(std::string(other.node));  // of those that run already
      if (url != urls_.end() && work_together(p, other)) add("--join", url->second);
    }
    for (const std::string_view stage : p.stages) add("--stage", std::string(stage));
    if (again_) words.emplace_back("--resume");
    add("--orders", plan_.orders_file);
    add("--stock", plan_.stock_file);
    add("--ledger", plan_.ledger_file);
    add("--stock-workers", std::to_string(plan_.stock_workers));
    add("--payment-workers", std::to_string(plan_.payment_workers));
    return words;
  }

  static bool work_together(const placement& a, const placement& b) {
    return std::ranges::find(a.joins, b.node) != a.joins.end() ||
           std::ranges::find(b.joins, a.node) != b.joins.end();
  }

  bool work() {
    began_ = troupe::os_env().now();
    std::uint64_t seen = 0;
    troupe::instant until = began_ + longest_silence;
    while (done_.size() < processes_.size()) {
      if (!step(until)) return false;
      if (std::exchange(seen, written_) != written_) until = troupe::os_env().now() + longest_silence;
      if (written_ > 0) screen_.live(title_ + figures());
      if (kills() && written_ > lines_ / 3 && !std::exchange(killed_, true))
        running_.signal(given_.kill, SIGKILL);
      if (hosts_ != nullptr && written_ > lines_ / 3) cut_and_mend();
    }
    if (hosts_ != nullptr && !mended_)
      return fail("it was over before the link was up again: give it more orders");
    if (kills() && !(killed_ && again_)) return fail(was_over());
    screen_.line(title_ + figures());
    for (const auto& [link, text] : lanes_) screen_.line(title_ + link + text);
    if (hosts_ != nullptr) {
      end_.remark = std::string("; the link of ") + cut_off +
                    "'s host was cut for 1 s in mid-run, its sessions " + went_on(resumed_) +
                    ", and nothing was lost: this is the ledger of an undisturbed run";
    }
    return true;
  }

  /// Once, and once more. (The processes say something many times a second, so the end of the cut is not missed.)
  void cut_and_mend() {
    const troupe::instant now = troupe::os_env().now();
    if (!cut_at_) {
      hosts_->cut(cut_off);
      cut_at_ = now;
      screen_.line(title_ + format("the link of %s's host is cut when %llu lines are written", cut_off,
                                   static_cast<unsigned long long>(written_)));
    } else if (now >= *cut_at_ + hosts::cut_for && !std::exchange(mended_, true)) {
      hosts_->mend(cut_off);
      screen_.line(title_ + format("the link of %s's host is up again", cut_off));
    }
  }

  /// First stage first, so that nobody sees one that it needs go.
  void stop_all() {
    for (auto p = processes_.rbegin(); p != processes_.rend(); ++p) {
      const std::string node(p->node);
      const int code = running_.stop(node, longest_stop);
      if (code != 0 && code != 128 + SIGTERM)
        fail(node, "ended with exit code " + std::to_string(code) + " after its work");
    }
  }

  /// Hears one event; false ends the run.
  bool step(troupe::instant until) {
    const event e = running_.wait(until - troupe::os_env().now());
    switch (e.what) {
      case event::kind::line: return hear(e.from, e.text);
      case event::kind::ended: return ended(e);
      case event::kind::interrupted: end_.interrupted = true; return false;
      default:
        return fail(format("no new line in the ledger for %d s", static_cast<int>(longest_silence / 1s)));
    }
  }

  /// A line of the program `orders` (orders/main.cpp lists them).
  bool hear(const std::string& node, const std::string& text) {
    std::istringstream words(text);
    std::string what;
    words >> what;
    if (what == "at") words >> urls_[node];
    if (what == "io") {
      notes_[node] = text.substr(3);
      screen_.line(title_ + format("%s is process %d, I/O by ", node.c_str(), pids_[node]) + notes_[node]);
    }
    if (what == "lane") hear_lane(*std::ranges::find(processes_, node, &placement::node), words);
    if (what == "written") hear_written(words);
    if (what == "done") done_.insert(node);
    if (what == "failed") reasons_[node] = text;
    return true;
  }

  void hear_written(std::istringstream& words) {
    std::uint64_t written = 0;
    std::uint64_t latency = 0;
    if (!(words >> written >> latency) || written <= written_) return;
    written_ = written;
    latency_ = latency;
    written_at_ = troupe::os_env().now();
  }

  void hear_lane(const placement& from, std::istringstream& words) {
    std::string peer;
    std::string lane;
    std::uint64_t out = 0;
    std::uint64_t in = 0;
    std::uint64_t resumed = 0;
    if (!(words >> peer >> lane >> out >> in >> resumed)) return;
    if (std::ranges::find(from.joins, peer) == from.joins.end()) return;  // the other side tells of this link
    lane_ = lane;
    lanes_[std::string(from.node) + " -> " + peer] =
        format(" by %s: %llu frames out, %llu in", lane.c_str(), static_cast<unsigned long long>(out),
               static_cast<unsigned long long>(in)) +
        (resumed > 0 ? ", " + went_on(resumed) : "");
    resumed_ = std::max(resumed_, resumed);
  }

  std::string figures() const {
    const double seconds = std::chrono::duration<double>(written_at_ - began_).count();
    const double rate = seconds > 0 ? static_cast<double>(written_) / seconds : 0;
    return format("%llu of %llu lines, %.0f/s, lane %s, mean latency %.2f ms",
                  static_cast<unsigned long long>(written_), static_cast<unsigned long long>(lines_), rate,
                  lane_.c_str(), static_cast<double>(latency_) / 1e6);
  }

  bool fail(std::string why) {
    if (end_.failure.empty()) end_.failure = std::move(why);
    return false;
  }
  bool fail(const std::string& node, const std::string& why) {
    if (culprit_.empty()) culprit_ = node;
    return fail(node + " (process " + std::to_string(pids_[node]) + ") " + why);
  }
  std::string was_over() const {
    return "it was over before " + given_.kill + " was killed: give it more orders";
  }
  bool ended(const event& e) {
    const auto reason = reasons_.find(e.from);
    const std::string how = reason != reasons_.end() ? reason->second : e.text;
    if (!kills() || e.from != given_.kill || e.code != 128 + SIGKILL) return fail(e.from, how);
    if (written_ == lines_ || !done_.empty()) return fail(was_over());
    // Supervised: the same program once more. It dials all the others, which live on.
    screen_.line(title_ + format("%s (process %d) ", e.from.c_str(), pids_[e.from]) + how +
                 format(" when %llu lines were written; it is started anew",
                        static_cast<unsigned long long>(written_)));
    urls_.erase(e.from);
    reasons_.erase(e.from);
    again_ = true;
    const auto pid = running_.start_again(e.from, "orders",
                                          command(*std::ranges::find(processes_, e.from, &placement::node)));
    if (!pid) return fail(e.from, how + "; " + pid.error().text);
    pids_[e.from] = *pid;
    return true;
  }

  void explain() {
    if (given_.verbose || culprit_.empty()) return;  // shown already, or nobody's fault
    std::istringstream lines(running_.complaints(culprit_));
    for (std::string line; std::getline(lines, line);) screen_.line(title_ + culprit_ + " wrote: " + line);
  }

  /// Where all is one process there is none to kill.
  bool kills() const { return !given_.kill.empty() && processes_.size() > 1; }

  orders::layout which_;
  std::string title_;
  const orders::plan& plan_;
  std::uint64_t lines_;
  const options& given_;
  const hosts* const hosts_;  // null: one is enough
  display& screen_;
  std::vector<placement> processes_;
  processes running_;

  run_end end_;
  std::string culprit_;                         // the node that made it fail
  bool killed_ = false;                         // as --kill says
  bool again_ = false;                          // a process was started anew
  std::optional<troupe::instant> cut_at_;       // the host's link
  bool mended_ = false;                         // and it is up again
  std::uint64_t resumed_ = 0;                   // of the link that did most often
  std::map<std::string, pid_t> pids_;           // by node, as the next four
  std::map<std::string, std::string> reasons_;  // of those that have said why they failed
  std::map<std::string, std::string> urls_;
  std::map<std::string, std::string> notes_;
  std::map<std::string, std::string> lanes_;
  std::string lane_ = "mailboxes";
  std::set<std::string> done_;  // nodes
  std::uint64_t written_ = 0;
  std::uint64_t latency_ = 0;  // nanoseconds
  troupe::instant began_{};
  troupe::instant written_at_{};
};

}  // namespace

run_end run_layout(orders::layout which, const orders::plan& plan, std::uint64_t lines, const options& given,
                   const hosts* on, display& screen) {
  return layout_run(which, plan, lines, given, on, screen).run();
}

}  // namespace demo
