#!/usr/bin/env bash
# The trainer `table`: from raw files to predictions by two commands, for classes and for numbers; what it refuses; and
# that a run goes on to the same bytes.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
table=$(example table)

# Categories (one of them quoted, with a separator), missing values, a constant, an identifier. The class follows from
# age and job, the price from size and city.
awk 'BEGIN {
  srand(1)
  print "id,age,job,note,\"in,come\""
  for (i = 0; i < 1200; ++i) {
    age = int(20 + 50 * rand()); k = int(3 * rand())
    job = k == 0 ? "clerk" : k == 1 ? "\"smith, \"\"gold\"\"\"" : "cook"
    rich = (age > 45) != (k == 1)
    printf "n%d,%s,%s,same,%s\n", i, (rand() < 0.05 ? "?" : age), (rand() < 0.03 ? "" : job), (rich ? ">50K" : "<=50K")
  }
}' >people.csv
awk 'BEGIN {
  srand(2)
  print "size;city;price"
  for (i = 0; i < 1200; ++i) {
    size = 20 + 100 * rand(); k = int(2 * rand())
    price = sprintf("%.2f", 100000 + (k ? 3000 : 1000) * size); sub(/\./, ",", price)
    shown = sprintf("%.1f", size); sub(/\./, ",", shown)
    printf "%s;%s;%s\n", (rand() < 0.02 ? "NA" : shown), (k ? "Rome" : "Oslo"), price
  }
}' >houses.csv

run() { "$table" --hidden 32 "$@" >out 2>err; }

# Classes
run --data people.csv --target in,come --epochs 1 && fail "a comma separates columns"
grep -q "expected one of the columns of people.csv, 'id', 'age', 'job', 'note', 'in,come', got 'in'" err || fail "names"
run --data people.csv --target -1 --epochs 20 --save people.model || fail "train"
awk "BEGIN {exit !($(field test_accuracy) > 0.9)}" || fail "it does not learn"
[[ $(field features) -eq 7 && $(field samples) -eq 1080 && $(field test_rows) -eq 120 ]] || fail "sizes"

run --resume people.model --predict people.csv || fail "predict"
[[ $(head -1 out) == '"in,come",<=50K,>50K' && $(wc -l <out) -eq 1201 ]] || fail "answers"
[[ ! -s err ]] || fail "silence"
cp out answers.csv
awk -F, 'FNR == 1 {file++; next} {sub(/\r$/, "")}
  file == 1 {got[FNR] = $1; if ($2 + $3 < 0.999999 || $2 + $3 > 1.000001) exit 1; if (($3 > $2) != ($1 == ">50K")) exit 1}
  file == 2 {n++; right += got[FNR] == $NF}
  END {exit !(n == 1200 && right > 0.9 * n)}' answers.csv people.csv || fail "answers do not fit the rows"

# The same answers without the target, with other columns in another order, from a pipe, gzipped, in two files
awk -F, 'NR > 1 {print}' people.csv >rows
{ echo "extra,job,note,age"; sed -E 's/^[^,]*,([^,]*),(.*),same,[^,]*$/7,\2,same,\1/' rows; } >moved.csv
gzip -c moved.csv | "$table" --resume people.model --predict - --threads 1 >out 2>err || fail "moved"
cmp answers.csv out || fail "moved columns have other answers"
mkdir parts
{ head -1 people.csv; head -500 rows; } >parts/a.csv
{ cat moved.csv | head -1; tail -n +502 moved.csv; } >parts/b.csv
run --resume people.model --predict parts || fail "directory"
cmp answers.csv out || fail "two files have other answers"
run --resume people.model --evaluate people.csv --quiet || fail "evaluate"
[[ $(wc -l <out) -eq 1 && $(field rows) -eq 1200 ]] || fail "evaluation"
awk "BEGIN {exit !($(field accuracy) > 0.9)}" || fail "accuracy"
run --describe people.model || fail "describe"
for text in Standardize "'in,come': target, category '<=50K', '>50K'" "'job': category 'clerk', 'cook', 'smith, \"gold\"'" \
  "'id': ignored" '"batch":32' '20 epochs, 680 steps'; do
  grep -qF -e "$text" out || fail "describe: $text"
done

# An unknown category is told, a wrong number refused, and rows may be skipped.
printf 'age,job,note\n30,pilot,same\n' >new.csv
run --resume people.model --predict new.csv || fail "unknown"
grep -q '^2 values\|^1 values are not in the schema' err || fail "unknown value"
printf 'age,job,note\n30,cook,same\nold,cook,same\n' >new.csv
run --resume people.model --predict new.csv && fail "a wrong number"
grep -q "^table: new.csv, line 3, column 'age': expected a number, got 'old'$" err || fail "message"
run --resume people.model --predict new.csv --skip-bad-rows && fail "another option"
printf 'years,job,note\n30,cook,same\n' >new.csv
refused "new.csv: expected a column 'age', got a header of 'years', 'job', 'note'" run --resume people.model --predict new.csv

# Numbers
run --data houses.csv --target price --regression --decimal-comma --epochs 30 --save houses.model || fail "regression"
awk "BEGIN {exit !($(field test_r2) > 0.9)}" || fail "it does not learn"
run --resume houses.model --predict houses.csv || fail "predict numbers"
[[ $(head -1 out) == price && $(wc -l <out) -eq 1201 ]] || fail "numbers"
awk -F';' 'FNR == 1 {file++; next} file == 1 {got[FNR] = $1}
  file == 2 {y = $3; sub(/,/, ".", y); n++; s += y; q += y * y; e += (got[FNR] - y) ^ 2}
  END {exit !(1 - e / (q - s * s / n) > 0.9)}' out houses.csv || fail "numbers do not fit the rows"
run --resume houses.model --evaluate houses.csv || fail "evaluate numbers"
awk "BEGIN {exit !($(field r2) > 0.9)}" || fail "r2"

# Runs that stop within an epoch go on to the same bytes, also with other threads and without the options.
options=(--data people.csv --target 5 --epochs 3)
run "${options[@]}" --save whole.model --threads 1 || fail "whole"
run "${options[@]}" --save part.model --time-limit 1e-9 || fail "part"
[[ $(field steps) -eq 1 ]] || fail "one step"
run --data people.csv --resume part.model --save part.model || fail "resume"
cmp whole.model part.model || fail "a resumed run ends otherwise"
run "${options[@]}" --test-every 0 || fail "no test rows"
[[ $(field samples) -eq 1200 && $(field test_accuracy) == null ]] || fail "no test rows"

refused 'expected a column to predict' run --data people.csv --quiet
refused 'expected a table' run --target age --quiet
refused 'nowhere: expected a file to read' run --data nowhere --target age --quiet
refused 'expected a model by --resume' run --predict people.csv
refused "line 2, column 'job': expected a number, got 'c\|expected a number" run --data people.csv --target job --regression
sed 's/"target":"classes"/"target":"flags"/; s/\\"target\\":\\"classes\\"/\\"target\\":\\"numbers\\"/' people.model >bad.model
refused "bad.model: note 'schema'" run --resume bad.model --predict people.csv
iconv -f UTF-8 -t UTF-16 people.csv >utf16.csv
refused 'UTF-16: convert it by iconv' run --data utf16.csv --target age --quiet
