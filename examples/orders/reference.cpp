// The order pipeline as one plain loop; see reference.hpp.
#include "reference.hpp"

namespace orders {

namespace {

entry settle(const order_row& row, checker& check, stock_shard& stock) {
  if (!row.content) return malformed_entry(row.line);
  const order& o = *row.content;
  if (const auto refused = check.decide(o)) return make_entry(o, *refused);
  if (const auto refused = stock.decide(o)) return make_entry(o, *refused);
  return make_entry(o, payment_status(o));
}

}  // namespace

file_result<tally> run_reference(const std::string& orders_path, const std::string& stock_path,
                                 const std::string& ledger_path) {
  const auto items = read_stock(stock_path);
  if (!items) return items.error();
  checker check;
  stock_shard stock;
  for (const stock_item& item : *items) {
    check.add_sku(item.sku);
    stock.add(item);
  }
  auto rows = order_reader::open(orders_path);
  if (!rows) return rows.error();
  auto ledger = ledger_writer::create(ledger_path);
  if (!ledger) return ledger.error();
  for (;;) {
    const auto row = rows->next();
    if (!row) return row.error();
    if (!*row) break;
    if (const auto added = ledger->add(settle(**row, check, stock)); !added) return added.error();
  }
  if (const auto finished = ledger->finish(ledger->written()); !finished) return finished.error();
  return ledger->counts();
}

}  // namespace orders
