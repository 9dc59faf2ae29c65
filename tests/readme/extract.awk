# Cuts a page into its ```cpp blocks: writes FOLDER/1.cpp, 2.cpp, ... and prints `program` or `fragment` for each.
/^```cpp[ \t]*$/ { inside = 1; ++count; block = ""; includes = ""; next }
/^```/ && inside {
  inside = 0
  file = folder "/" count ".cpp"
  if (block ~ /int main\(/) {
    kind = "program"
    printf "%s%s", includes, block > file
  } else {
    kind = "fragment"
    earlier_includes = earlier_includes includes
    earlier = earlier block
    printf "// expect: ok\n%snamespace page {\n%s}\n", earlier_includes, earlier > file
  }
  close(file)
  print kind
  # What a program defines is there for the fragments after it; in a namespace, its main is a name like any other.
  if (kind == "program") { earlier_includes = earlier_includes includes; earlier = earlier block }
  next
}
inside && /^#include/ { includes = includes $0 "\n"; next }
inside { block = block $0 "\n" }
