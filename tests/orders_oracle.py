#!/usr/bin/env python3
"""The order pipeline's rules once more, from their specification alone, as an oracle for the C++ code.

Usage: orders_oracle.py ORDERS.CSV STOCK.CSV > LEDGER.CSV
"""
import re
import sys


def decimal(text, low, high, pattern):
    """The number, or None when the text is not such a decimal or does not fit."""
    if not re.fullmatch(pattern, text):
        return None
    value = int(text)
    return value if low <= value <= high else None


def lines_of(path):
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line[:-1] if line.endswith(b"\r") else line for line in lines][1:]


def well_formed(line):
    fields = line.split(b",")
    if len(fields) != 6:
        return None
    ident = decimal(fields[0], 0, 2**64 - 1, rb"[0-9]+")
    quantity = decimal(fields[2], -(2**63), 2**63 - 1, rb"-?[0-9]+")
    cents = decimal(fields[3], 0, 2**32 - 1, rb"[0-9]+")
    sku, customer, card = fields[1], fields[4], fields[5]
    if None in (ident, quantity, cents) or not sku or not customer:
        return None
    if not re.fullmatch(rb"[0-9]{12,19}", card):
        return None
    return ident, sku, quantity, cents, card


def luhn(card):
    total = 0
    for place, digit in enumerate(int(chr(c)) for c in reversed(card)):
        total += sum(divmod(2 * digit, 10)) if place % 2 else digit
    return total % 10 == 0


def settle(order, seen, stock):
    ident, sku, quantity, _, card = order
    if ident in seen:
        return "duplicate_id"
    seen.add(ident)
    if sku not in stock:
        return "unknown_sku"
    if not 1 <= quantity <= 1000:
        return "bad_quantity"
    if not luhn(card):
        return "bad_card"
    if quantity > stock[sku]:
        return "out_of_stock"
    stock[sku] -= quantity
    return "declined" if card.startswith(b"4000") else "paid"


def main():
    stock = {}
    for line in lines_of(sys.argv[2]):
        sku, quantity = line.split(b",")
        stock[sku] = int(quantity)
    seen = set()
    out = ["line,id,status,amount_cents"]
    for number, line in enumerate(lines_of(sys.argv[1]), 1):
        order = well_formed(line)
        if order is None:
            out.append(f"{number},,malformed,0")
            continue
        status = settle(order, seen, stock)
        amount = order[2] * order[3] if status == "paid" else 0
        out.append(f"{number},{order[0]},{status},{amount}")
    sys.stdout.write("\n".join(out) + "\n")


main()
