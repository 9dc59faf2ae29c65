#include "mutants.hpp"

#include <algorithm>
#include <cstdio>

#include "seed_pool.hpp"

#ifdef TROUPE_SIM_CHECKED
troupe::detail::mutant troupe::detail::active_mutant = mutant::none;
#endif

namespace seeds {

using troupe::detail::mutant;

const std::vector<planted>& all_mutants() {
#ifdef TROUPE_SIM_CHECKED
  static const std::vector<planted> all = {
      {mutant::lost_wake_up, "lost_wake_up", "a worker that sleeps is not woken by what other workers post"},
      {mutant::reversed_inlet, "reversed_inlet", "what came from other workers is taken newest first"},
      {mutant::drop_message, "drop_message", "one message in fifty vanishes"},
      {mutant::swallow, "swallow", "one message in fifty vanishes, and is counted as taken"},
      {mutant::forgotten_unknown, "forgotten_unknown",
       "messages in doubt after the loss of a link are not counted"},
      {mutant::double_ack, "double_ack", "messages that a peer acknowledged are counted twice"},
      {mutant::kept_credit, "kept_credit", "receivers give no credit back"},
      {mutant::deaf_to_link_loss, "deaf_to_link_loss", "monitors hear nothing of the loss of a link"},
      {mutant::lost_down, "lost_down", "an actor that ends tells nobody"},
      {mutant::same_generation, "same_generation",
       "refs to an actor that has ended reach the next one in its slot"},
      {mutant::short_write, "short_write", "the rest of a short write is not sent"},
      {mutant::stalled_send, "stalled_send", "a socket lane sends no more after its first write"},
      {mutant::silent_doorbell, "silent_doorbell", "a shared-memory lane does not wake the peer"},
      {mutant::early_publish, "early_publish", "a segment is shown to the peer before its header is written"},
      {mutant::forgetful_restart, "forgetful_restart", "an actor that restarts loses its mailbox"},
      {mutant::no_restart, "no_restart", "an actor that failed is not started again"},
      {mutant::wrong_reason, "wrong_reason", "DOWN says of every actor that it was killed"},
      {mutant::lost_reply, "lost_reply", "one reply in three from another node vanishes"},
      {mutant::lost_slot, "lost_slot", "the slot of an actor that has ended is never free again"},
      {mutant::leaked_frame, "leaked_frame", "the frame of an actor that ends is not destroyed"},
      {mutant::kept_claim, "kept_claim", "a node that was linked once is never linked again"},
      {mutant::deaf_bound, "deaf_bound", "mailboxes have room for any number of messages"},
      {mutant::deaf_budget, "deaf_budget", "a node's mailboxes together take any number of bytes"},
      {mutant::early_credit, "early_credit", "receivers give credit back for what waits in a mailbox"},
      {mutant::lazy_sync, "lazy_sync", "a journal is said to be durable, and was not synced"},
      {mutant::forgetful_move, "forgetful_move",
       "an actor that begins on another worker loses what it was sent before"},
      {mutant::kept_burst, "kept_burst", "what a run has sent to another worker and not published is lost"},
      {mutant::lost_chunk, "lost_chunk", "one chunk in eight is not sent"},
      {mutant::no_dedup, "no_dedup", "what has arrived is sent over the next connection, and taken twice"},
      {mutant::lazy_trim, "lazy_trim", "what has arrived is sent over the next connection, too"},
      {mutant::no_trim, "no_trim", "what the peer has acknowledged is kept for ever"},
      {mutant::early_trim, "early_trim", "what was sent is not kept until it is acknowledged"},
      {mutant::lost_kept, "lost_kept",
       "what was sent and not acknowledged is not sent over the next connection"},
      {mutant::lost_unsent, "lost_unsent", "what waited to be sent is lost with its connection"},
      {mutant::kept_part, "kept_part", "the half of a segment is kept for the next connection"},
      {mutant::greedy_resume, "greedy_resume", "a session goes on as if one more frame had arrived"},
      {mutant::deaf_resume, "deaf_resume", "nobody dials for a session that has lost its connection"},
      {mutant::unheard_gone, "unheard_gone", "a session goes on though the peer does not know it any more"},
      {mutant::kept_connection, "kept_connection", "the end of a connection is not noticed"},
      {mutant::eager_move, "eager_move", "streams move to memory before what they sent is acknowledged"},
      {mutant::deaf_memory, "deaf_memory", "what is left in the rings of lost memory is not taken"},
  };
#else
  static const std::vector<planted> all;
#endif
  return all;
}

bool activate(std::string_view name) {
  const auto found = std::ranges::find(all_mutants(), name, &planted::name);
  if (found == all_mutants().end()) return false;
#ifdef TROUPE_SIM_CHECKED
  troupe::detail::active_mutant = found->which;
#endif
  return true;
}

bool print_mutants() {
  bool all_found = true;
  std::printf("| mutant | what it does wrong | found by |\n|---|---|---|\n");
  for (const planted& m : all_mutants()) {
    activate(m.name);
    std::string oracle = "nothing";
    for (std::uint64_t seed = 1; seed <= most_seeds; ++seed) {
      const outcome o = run_apart(seed, troupe::sim::fault_set::all(), false);
      if (o.violations.empty()) continue;
      oracle = o.violations.substr(0, o.violations.find(':'));
      std::fprintf(stderr, "%s: seed %llu: %s\n", std::string(m.name).c_str(),
                   static_cast<unsigned long long>(seed),
                   o.violations.substr(0, o.violations.find('\n')).c_str());
      break;
    }
    all_found = all_found && oracle != "nothing";
    std::printf("| `%s` | %s | %s |\n", std::string(m.name).c_str(), std::string(m.what).c_str(),
                oracle.c_str());
    std::fflush(stdout);
  }
  return all_found;
}

}  // namespace seeds
