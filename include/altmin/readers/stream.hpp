#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/random.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/batch.hpp"
#include "altmin/data/batch_source.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/data/fingerprint.hpp"
#include "altmin/data/running_standardizer.hpp"
#include "altmin/parallel/bounded_queue.hpp"
#include "altmin/readers/csv_files.hpp"
#include "altmin/readers/row_reader.hpp"

namespace altmin {

/// How a Stream makes batches of the rows of a table.
struct StreamOptions {
  Index batch_size = 200;   ///< samples a batch; 1 to 2^32 - 1
  Index reservoir = 10000;  ///< rows among which the next one is drawn; 1 or more, 1: the order of the table
  Index test_rows = 0;      ///< so many of the last rows are for testing; 0 or more
  Index test_every = 0;     ///< of the test rows: 0: they are the last ones; n: the last ones of each n-th row
  Index limit = 0;          ///< so many of the first rows are for training, the others pass by; 0: all
  bool standardize = true;  ///< whether features are standardized, see RunningStandardizer
  Seed seed{};              ///< of what is drawn
  LastBatch last_batch = LastBatch::keep;  ///< whether the last batch of a pass may have another size: a smaller one,
                                           ///< or a row more, as a last row never makes a batch alone (see Stream)

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("batch_size", self.batch_size...);
    visit("reservoir", self.reservoir...);
    visit("test_rows", self.test_rows...);
    visit("test_every", self.test_every...);
    visit("limit", self.limit...);
    visit("standardize", self.standardize...);
    visit("seed", self.seed...);
    visit("last_batch", self.last_batch...);
  }
};

namespace detail {

/// Samples with their labels or real targets, as many as there is room for.
template <class Scalar>
struct Rows {
  Rows() = default;
  Rows(const RowReader<Scalar>& reader, Index room)
      : x(reader.features(), room), y(reader.classes() > 0 ? room : 0), targets(reader.targets(), room) {}

  void set(Index i, const Rows& from, Index j) {
    x.col(i) = from.x.col(j);
    if (y.size() > 0) y[i] = from.y[j];
    if (targets.rows() > 0) targets.col(i) = from.targets.col(j);
  }
  void push(const Rows& from, Index j) { set(size++, from, j); }

  Matrix<Scalar> x;
  Labels y;
  Matrix<Scalar> targets;
  Index size = 0;
};

/// One of them, borrowed; or none.
template <class Scalar>
struct Row {
  const Rows<Scalar>* rows = nullptr;
  Index place = 0;

  explicit operator bool() const { return rows != nullptr; }
};

/// The rows of a table, read on a thread of their own.
template <class Scalar>
class RowThread {
 public:
  explicit RowThread(std::unique_ptr<RowReader<Scalar>> reader)
      : reader_{std::move(reader)}, thread_{[this] { run(); }} {}
  RowThread(const RowThread&) = delete;
  RowThread& operator=(const RowThread&) = delete;
  ~RowThread() {
    queue_.cancel();
    reader_->cancel();
    thread_.join();
  }

  const RowReader<Scalar>& reader() const { return *reader_; }
  Index skipped() const { return block_.skipped; }

  /// The next row, valid until the next call; none at the end. While it waits, it calls stop(), if there is one, ten
  /// times a second; where that is true, there is no row for now. Throws what the reader throws.
  Row<Scalar> next(const std::function<bool()>& stop) {
    while (at_ == block_.rows.size) {
      at_ = 0;
      block_.rows.size = 0;
      if (!(stop ? queue_.pop(block_, std::chrono::milliseconds{100}, stop) : queue_.pop(block_))) return {};
    }
    return {&block_.rows, at_++};
  }

 private:
  struct Block {
    Rows<Scalar> rows;
    Index skipped = 0;  // lines, up to here
  };

  void run() {
    try {
      const Index room = std::clamp(Index{65536} / reader_->features(), Index{1}, Index{1024});
      Block block;
      bool ended = false;
      do {
        if (block.rows.x.size() == 0) block.rows = Rows<Scalar>{*reader_, room};
        block.rows.size =
            reader_->read(block.rows.x, {block.rows.y.data(), block.rows.y.size()}, View<Scalar>{block.rows.targets});
        block.skipped = reader_->skipped();
        ended = block.rows.size < room;
      } while (queue_.push(block) && !ended);  // the last block may hold no row, but tells what was skipped
      queue_.finish();
    } catch (...) {
      queue_.finish(std::current_exception());
    }
  }

  std::unique_ptr<RowReader<Scalar>> reader_;
  BoundedQueue<Block> queue_{4};
  Block block_;
  Index at_ = 0;
  std::thread thread_;
};

}  // namespace detail

/// Mini-batches of a table of any length, in constant memory: the rows are read on threads of their own, the last ones
/// are held back for testing, and each batch is drawn from a reservoir of rows.
///
///     Stream<float> stream{"HIGGS.csv.gz", options};
///     while (const auto* batch = stream.next()) net.step(batch->x, batch->y);
///     std::cout << evaluate(net, stream.test());
///
/// The loop is one pass; the next call of next() begins another one, where the source can be read again. The batches
/// are a function of table, options and their number alone. So a run that stops after `batch()` batches of a pass goes
/// on with seek(pass(), batch()) in a new stream.
///
/// A pass gives each of its rows once, in batches of `batch_size` and a smaller one at last. If a single row would be
/// left for that, the batch before it holds it as well, as batch normalization needs two samples or more: so a batch of
/// one comes only where `batch_size` is 1, or from a pass of one row. Two rows must have come behind a batch,
/// therefore, before it is given.
///
/// Nothing of the test rows reaches a batch: a row is trained on, and observed by the standardizer, once `test_rows`
/// more have come; or, with `test_every`, each n-th row is not trained on, and the latest `test_rows` of them are held
/// back, which suits a stream without end. In the first pass features are standardized by what has come so far; from
/// the second on, by all training rows.
///
/// A stream may be moved, and then only assigned to or destroyed: all that reads from it throws an Error.
template <class Scalar>
class Stream : public BatchSource<Scalar> {
 public:
  /// Opens the source. Throws OptionError for an option out of its range, DataError and OptionError as CsvReader does;
  /// what is wrong with later rows is thrown by next().
  explicit Stream(const Source& source, const StreamOptions& options = {}, const CsvOptions& csv = {})
      : Stream{csv_rows<Scalar>(source, csv), options} {}

  /// The same for a table in several files.
  explicit Stream(const std::vector<Source>& files, const StreamOptions& options = {}, const CsvOptions& csv = {})
      : Stream{csv_rows<Scalar>(files, csv), options} {}

  /// The same of any rows, such as table_rows().
  explicit Stream(RowSource<Scalar> source, const StreamOptions& options = {})
      : source_{std::move(source)}, options_{options} {
    const auto require = [](bool holds, const char* option, const char* range, Index got) {
      detail::require_option(holds, std::string("StreamOptions: ") + option, range, double(got));
    };
    constexpr Index most = std::numeric_limits<std::uint32_t>::max();
    require(options_.batch_size >= 1 && options_.batch_size <= most, "batch_size", "must be 1 to 2^32 - 1",
            options_.batch_size);
    require(options_.reservoir >= 1 && options_.reservoir <= most, "reservoir", "must be 1 to 2^32 - 1",
            options_.reservoir);
    require(options_.test_rows >= 0, "test_rows", "must be 0 or more", options_.test_rows);
    require(options_.test_every == 0 || (options_.test_every >= 2 && options_.test_rows > 0), "test_every",
            "must be 0, or 2 or more with test_rows", options_.test_every);
    require(options_.limit >= 0, "limit", "must be 0 or more", options_.limit);
    table_ = std::make_unique<detail::RowThread<Scalar>>(source_.open());
    const RowReader<Scalar>& reader = table_->reader();
    features_ = reader.features();
    classes_ = reader.classes();
    targets_ = reader.targets();
    fresh_ = true;
    held_back_ = {reader, options_.test_rows};
    passing_ = {reader, 1};
    reservoir_ = {reader, std::max<Index>(options_.reservoir, 2)};  // two for has_single_row_left()
    drawn_ = {reader, options_.batch_size + 1};
    begin_pass(0);
  }

  /// Lets next() return while it waits for rows, from a pipe that gives none: it then calls stop() ten times a second
  /// and, where that is true, returns null. No row is lost: the next call goes on with the batch.
  void set_stop(std::function<bool()> stop) { stop_ = std::move(stop); }

  /// The next batch, valid until the next call; null at the end of a pass, or as set_stop() says. Throws DataError for
  /// a bad row (see CsvOptions::bad_rows), where all rows are held back for testing, in a second pass over what is no
  /// file, and for a file that has other features than before, or fewer rows.
  const Batch<Scalar>* next() override {
    require_table();
    if (between_passes_) begin_pass(pass_);
    if (!std::exchange(stopped_, false)) drawn_.size = 0;
    while (drawn_.size < options_.batch_size && draw()) {
    }
    if (stopped_) return nullptr;
    if (has_single_row_left()) draw();
    if (stopped_) return nullptr;
    if (drawn_.size == 0 || (drawn_.size < options_.batch_size && options_.last_batch == LastBatch::drop)) {
      end_pass();
      return nullptr;
    }
    ++batch_number_;
    if (options_.standardize) standardizer_.apply(drawn_.x.leftCols(drawn_.size));
    batch_.emplace();
    batch_->x.rebind({drawn_.x.data(), features(), drawn_.size, features()});
    if (classes_ > 0) batch_->y.rebind({drawn_.y.data(), drawn_.size});
    if (targets_ > 0) batch_->targets.rebind({drawn_.targets.data(), targets_, drawn_.size, targets_});
    return &*batch_;
  }

  /// The rows that are held back, standardized as a batch would be now: from the end of the first pass on, the last
  /// rows of the table; before, the latest ones that have been read, none of which has been trained on yet. Throws
  /// DataError where there are none.
  Dataset<Scalar> test() const {
    require_table();
    const Index size = held_back_.size;
    if (size == 0) throw DataError(source_.name + ": expected test rows, got none (see StreamOptions::test_rows)");
    Rows rows{table_->reader(), size};
    for (Index i = 0; i < size; ++i) rows.push(held_back_, (oldest_ + i) % size);
    if (options_.standardize) standardizer_.apply(rows.x);
    return to_dataset(std::move(rows));
  }

  /// Whether the last call of next() returned null as set_stop() says.
  bool stopped() const override { return stopped_; }

  /// Goes to where batch number `batch` of a pass is next, by reading all that comes before; is not stopped.
  void seek(Index pass, Index batch) override {
    require_table();
    const auto stop = std::exchange(stop_, {});
    if (train_rows_ < 0 || pass == 0) {
      begin_pass(0);
      while (pass > 0 && next() != nullptr) {
      }
    }
    if (pass > 0) begin_pass(pass);
    for (Index i = 0; i < batch; ++i) {
      if (next() != nullptr) continue;
      throw DataError(source_.name + ": expected more than " + detail::text(batch) + " batches in pass " +
                      detail::text(pass) + ", got " + detail::text(i));
    }
    stop_ = stop;
  }

  /// Batches are known from the end of the first pass on.
  SourceInfo info() const override {
    SourceInfo info;
    info.name = source_.name;
    info.shape = Shape{features()};
    info.classes = classes();
    info.smallest_batch = options_.batch_size == 1 ? 1 : 0;
    info.repeatable = source_.repeatable();
    if (train_rows_ < 0) return info;
    const Index rest = train_rows_ % options_.batch_size;
    const Index joined = train_rows_ > options_.batch_size ? 1 : 0;  // a last row to the batch before it
    info.batches = train_rows_ / options_.batch_size;
    if (options_.last_batch == LastBatch::keep && rest > joined) ++info.batches;
    return info;
  }

  void visit(FieldVisitor& visitor) override { visit_fields(visitor, options_); }

  /// Of the first rows, where the source can be read again; 0 where it cannot.
  std::uint64_t fingerprint() const override {
    if (fingerprint_ == 0 && source_.repeatable()) {
      detail::RowThread<Scalar> table{source_.open()};
      Rows first{table.reader(), 1024};
      for (Row row = table.next({}); row && first.size < 1024; row = table.next({})) first.push(*row.rows, row.place);
      fingerprint_ = detail::fingerprint(to_dataset(std::move(first)));
    }
    return fingerprint_;
  }

  Index features() const { return features_; }
  /// Classes of the labels; 0 where the targets are real numbers.
  Index classes() const { return classes_; }
  /// Real targets of a sample; 0 for labels.
  Index targets() const { return targets_; }

  /// Passes completed, and batches of the present one.
  Index pass() const { return pass_; }
  Index batch() const { return batch_number_; }

  /// Rows that one pass trains on, known from the end of the first pass on; else of the present pass so far.
  Index train_rows() const { return train_rows_ >= 0 ? train_rows_ : taken_; }

  /// Bad rows that this pass has skipped: at the end of the first one, all of the table's. A later pass ends with its
  /// last row to train on, and has not met those behind it.
  Index skipped() const {
    require_table();
    return table_->skipped();
  }

  const RunningStandardizer<Scalar>& standardizer() const { return standardizer_; }

 private:
  using Row = detail::Row<Scalar>;
  using Rows = detail::Rows<Scalar>;
  static constexpr std::uint64_t random_stream = 0x57ea3;  // the same seed elsewhere draws other numbers

  Dataset<Scalar> to_dataset(Rows rows) const {
    rows.x.conservativeResize(Eigen::NoChange, rows.size);
    if (classes_ > 0) return {std::move(rows.x), rows.y.head(rows.size), classes_};
    return {std::move(rows.x), rows.targets.leftCols(rows.size)};
  }

  void begin_pass(Index pass) {
    if (!fresh_) {
      if (!source_.repeatable()) throw DataError(source_.name + ": it can be read only once: expected a file");
      auto table = std::make_unique<detail::RowThread<Scalar>>(source_.open());
      const Index features = table->reader().features();
      if (features != features_) {
        throw DataError(source_.name + ": expected " + detail::text(features_) + " features as before, got " +
                        detail::text(features));
      }
      table_ = std::move(table);
    }
    if (pass == 0) {
      train_rows_ = -1;
      held_back_.size = oldest_ = 0;
      standardizer_ = RunningStandardizer<Scalar>{features()};
    }
    pass_ = pass;
    batch_number_ = taken_ = rows_read_ = reservoir_.size = 0;
    stopped_ = false;
    random_ = Random{options_.seed, random_stream + static_cast<std::uint64_t>(pass)};
    between_passes_ = false;
  }

  void end_pass() {
    if (taken_ == 0) {
      throw DataError(source_.name + ": expected more than " + detail::text(options_.test_rows) +
                      " rows, which are for testing, got " + detail::text(held_back_.size));
    }
    if (taken_ < train_rows_) {
      throw DataError(source_.name + ": expected " + detail::text(train_rows_) +
                      " rows to train on as in the first pass, got " + detail::text(taken_));
    }
    train_rows_ = taken_;
    ++pass_;
    batch_number_ = 0;
    between_passes_ = true;
  }

  /// Moves a row at random from the reservoir to the batch; false where none is left.
  bool draw() {
    fill_reservoir(options_.reservoir);
    if (stopped_ || reservoir_.size == 0) return false;
    const Index candidates = std::min(reservoir_.size, options_.reservoir);
    const auto chosen = static_cast<Index>(random_.below(static_cast<std::uint32_t>(candidates)));
    drawn_.push(reservoir_, chosen);
    --reservoir_.size;
    if (chosen != reservoir_.size) reservoir_.set(chosen, reservoir_, reservoir_.size);
    return true;
  }

  /// True if one row is left behind a full batch, which would be a batch of its own.
  bool has_single_row_left() {
    if (options_.last_batch == LastBatch::drop || options_.batch_size == 1) return false;
    if (drawn_.size < options_.batch_size) return false;
    fill_reservoir(2);
    return !stopped_ && reservoir_.size == 1;
  }

  /// Reads rows until the reservoir holds so many; fewer where the pass has no more.
  void fill_reservoir(Index rows) {
    while (reservoir_.size < rows) {
      const Row row = next_row();
      if (!row) return;
      reservoir_.push(*row.rows, row.place);
    }
  }

  /// The next row to train on.
  Row next_row() {
    const bool first = train_rows_ < 0;
    const Index most = first ? (options_.limit > 0 ? options_.limit : std::numeric_limits<Index>::max()) : train_rows_;
    if (taken_ == most && (!first || options_.test_rows == 0)) return {};
    Row row;
    do {
      fresh_ = false;
      row = first ? next_released() : next_of_pass();
    } while (row && taken_ == most);
    if (!row) return {};
    ++taken_;
    if (first) standardizer_.observe(row.rows->x.col(row.place));
    return row;
  }

  /// The next row of a pass after the first one that may be trained on.
  Row next_of_pass() {
    Row row = table_row();
    while (row && is_every_nth()) row = table_row();
    return row;
  }

  /// Whether the row that was read last is for testing as one of each n.
  bool is_every_nth() const { return options_.test_every > 0 && rows_read_ % options_.test_every == 0; }

  /// The next row of the table.
  Row table_row() {
    const Row row = read_row();
    if (row) ++rows_read_;
    return row;
  }

  Row read_row() {
    if (!stop_) return table_->next({});
    return table_->next([this] { return stopped_ = stop_(); });
  }

  /// The next row that has as many behind it as there are for testing.
  Row next_released() {
    Row row = table_row();
    while (row && (options_.test_every > 0 ? is_every_nth() : held_back_.size < options_.test_rows)) {
      hold_back(row);
      row = table_row();
    }
    if (options_.test_every > 0) return row;
    if (!row || options_.test_rows == 0) return row;
    passing_.set(0, held_back_, oldest_);
    hold_back(row);
    return {&passing_, 0};
  }

  /// In the place of the oldest one, where there are enough.
  void hold_back(const Row& row) {
    if (held_back_.size < options_.test_rows) return held_back_.push(*row.rows, row.place);
    held_back_.set(oldest_, *row.rows, row.place);
    oldest_ = (oldest_ + 1) % options_.test_rows;
  }

  void require_table() const {
    if (!table_) throw Error("Stream: expected a stream to read from, got one that has been moved elsewhere");
  }

  RowSource<Scalar> source_;
  StreamOptions options_;
  std::unique_ptr<detail::RowThread<Scalar>> table_;  // null once moved elsewhere
  Index features_ = 0;
  Index classes_ = 0;
  Index targets_ = 0;
  bool fresh_ = false;  // the table has not been read from
  Rows held_back_;      // a ring
  Index oldest_ = 0;
  Rows passing_;  // one row, from there to the reservoir
  Rows reservoir_;
  Rows drawn_;
  std::optional<Batch<Scalar>> batch_;
  RunningStandardizer<Scalar> standardizer_;
  Random random_;
  Index pass_ = 0;
  Index batch_number_ = 0;
  bool between_passes_ = false;
  std::function<bool()> stop_;
  Index rows_read_ = 0;  // of the table, in this pass
  mutable std::uint64_t fingerprint_ = 0;
  bool stopped_ = false;   // the last call of next() was stopped, within a batch
  Index taken_ = 0;        // rows to train on, of this pass
  Index train_rows_ = -1;  // of each pass; -1 in the first one
};

}  // namespace altmin
