// SPDX-License-Identifier: MIT
// Tape: records operations as they run and sweeps them once in reverse; no recursion, no graph.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <pixelrnn/autodiff/gradient_memory.hpp>
#include <pixelrnn/autodiff/gradients.hpp>
#include <pixelrnn/autodiff/map_memory.hpp>
#include <pixelrnn/autodiff/prepared.hpp>
#include <pixelrnn/autodiff/variable.hpp>
#include <pixelrnn/core/dropout.hpp>
#include <pixelrnn/core/parallel.hpp>
#include <pixelrnn/core/workspace.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct TapeOptions {
  int threads = 0;         ///< for the operations' execution policies; 0: as many as OpenMP offers
  bool record = true;      ///< false: no gradients, nothing saved for them (evaluation, sampling)
  bool walk_bits = false;  ///< true: values (not gradients) have a walk's bits, on any machine
};

template <class T>
class MapPass;

/// Memory and history of one computation. Values live in a workspace that reset() recycles, so a
/// repeated training step allocates nothing. Gradients live only from their first contribution
/// until their operation has been reversed. One thread at a time; several may use one model, each
/// with a tape of its own.
template <class T>
class Tape {
 public:
  explicit Tape(TapeOptions options = {}) : options_(options) {
    require_threads(options.threads, "Tape");
  }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  ~Tape() { destroy_operations(); }

  [[nodiscard]] int threads() const { return options_.threads; }
  [[nodiscard]] bool records() const { return options_.record; }
  [[nodiscard]] bool walk_bits() const { return options_.walk_bits; }

  /// A value that is not differentiated; the memory must outlive its use on the tape.
  [[nodiscard]] Variable<T> constant(FeatureView<const T> value) {
    return add_node({.name = "constant", .value = unconst(value)});
  }
  /// A value whose gradient is kept until reset(): see gradient().
  [[nodiscard]] Variable<T> input(FeatureView<const T> value) {
    return add_node({.name = "input",
                     .value = unconst(value),
                     .needs_gradient = options_.record,
                     .keeps_gradient = true});
  }
  /// A parameter as a value, whose gradient goes to the Gradients of the sweep.
  [[nodiscard]] Variable<T> leaf(const Parameter<T>& parameter) {
    return add_node({.name = "parameter",
                     .value = unconst(parameter.value()),
                     .parameter = &parameter,
                     .needs_gradient = options_.record});
  }

  /// What the images of this recording are told, (N, 1, 1, C) or (N, H, W, C), until reset(): for
  /// layers whose Config::condition_channels is C. A variable, so that what made it can be trained.
  void set_condition(Variable<T> condition) {
    require_own(condition, "Tape::set_condition");
    condition_ = condition;
  }
  [[nodiscard]] const std::optional<Variable<T>>& condition() const { return condition_; }

  /// What this recording leaves out of the maps that are given to dropout(), until reset().
  /// Throws ConfigError unless 0 <= rate < 1.
  void set_dropout(const StepDropout& draws) {
    require_dropout("Tape::set_dropout", draws.rate);
    dropout_ = draws;
  }
  [[nodiscard]] const StepDropout& dropout() const { return dropout_; }
  /// Maps of this recording that dropout() was given: each has draws of its own, by its number.
  [[nodiscard]] std::uint32_t dropped_maps() const { return dropped_maps_; }
  [[nodiscard]] std::uint32_t count_dropped_map() { return dropped_maps_++; }

  /// Tapes of this tape's own, one for each worker of a parallel part of a computation, recorded or
  /// not as on this one; each is sequential and keeps its memory and, without a recording, what
  /// layers prepare(). Valid until the next call.
  [[nodiscard]] std::span<const std::unique_ptr<Tape>> worker_tapes(Index workers) {
    for (const auto& tape : workers_) tape->prepared_.clear();
    while (std::ssize(workers_) < workers) {
      workers_.push_back(std::make_unique<Tape>(
          TapeOptions{.threads = 1, .record = records(), .walk_bits = options_.walk_bits}));
      workers_.back()->keeps_prepared_ = !records();
    }
    return workers_;
  }

  /// Uninitialised memory for an operation's output, until reset() or, on a tape that does not
  /// record, until a net needs it no longer. Throws std::bad_alloc.
  [[nodiscard]] FeatureView<T> allocate(Shape<4> shape) {
    if (options_.record) return workspace().template allocate<T>(shape);
    const std::size_t count = static_cast<std::size_t>(std::max<Index>(shape.count(), 1));
    if (count > static_cast<std::size_t>(PTRDIFF_MAX) / sizeof(T)) throw std::bad_alloc();
    return {static_cast<T*>(maps_.take(count * sizeof(T))), shape};
  }
  /// Memory for what operations save, until reset().
  [[nodiscard]] Workspace& workspace() { return memory_; }
  /// Memory for one operation's forward: give it back with a Scratch guard.
  [[nodiscard]] Workspace& scratch() { return scratch_; }

  /// What make(workspace) gives, which depends on the owner's weights alone, for a forward that
  /// keeps nothing of it. Worker tapes keep it for all parts of a pass; else it is in scratch(),
  /// and gone with the caller's Scratch guard.
  template <class Made, class Make>
  [[nodiscard]] Made prepare(const void* owner, Make&& make) {
    return keeps_prepared_ ? prepared_.template get<Made>(owner, make) : make(scratch_);
  }

  /// The door for operations: `value` was computed from `inputs`, and op.backward(Backward<T>&)
  /// adds its share to their gradients. If no input wants a gradient, op is dropped at once. Op may
  /// own memory; it is destroyed by reset(). `name` appears in error messages; it is not copied.
  /// An operation with parameters of its own names one of them, tape.leaf(p), among its inputs, so
  /// that it is reversed even if x is constant, and adds to Backward::gradient(p) itself.
  template <class Op>
  Variable<T> record(const char* name, FeatureView<T> value,
                     std::initializer_list<Variable<T>> inputs, Op op) {
    bool needed = false;
    for (const Variable<T>& input : inputs) {
      require_own(input, name);
      needed = needed || nodes_[index(input.id_)].needs_gradient;
    }
    Node node{.name = name, .value = value, .needs_gradient = options_.record && needed};
    if (node.needs_gradient) {
      node.inputs = workspace().template allocate<Index>(static_cast<Index>(inputs.size()));
      node.input_count = static_cast<Index>(inputs.size());
      std::transform(inputs.begin(), inputs.end(), node.inputs,
                     [](const Variable<T>& input) { return input.id_; });
      // Room first: once op exists, nothing may throw before the tape knows it.
      if (nodes_.size() == nodes_.capacity()) nodes_.reserve(2 * nodes_.size() + 16);
      node.op = ::new (workspace().allocate_bytes(sizeof(Op))) Op(std::move(op));
      node.backward = [](void* self, Backward<T>& context) {
        static_cast<Op*>(self)->backward(context);
      };
      if constexpr (!std::is_trivially_destructible_v<Op>) {
        node.destroy = [](void* self) { static_cast<Op*>(self)->~Op(); };
      }
    }
    return add_node(node);
  }

  /// Finds dL/dx of every input, see gradient(), and adds dL/dθ to `gradients`, L being the single
  /// number `loss`. What is found of parameters that those are not for is dropped. One sweep a
  /// recording: operations may reuse what they saved. Throws ShapeError if loss is not one number,
  /// ConfigError if it is on another tape or this one does not record or was swept already.
  void backward(Variable<T> loss, Gradients<T>& gradients) { sweep(loss, &gradients); }
  /// Of inputs alone.
  void backward(Variable<T> loss) { sweep(loss, nullptr); }
  /// The same from a given dL/doutput of any shape.
  void backward(Variable<T> output, FeatureView<const T> output_gradient, Gradients<T>& gradients) {
    sweep(output, output_gradient, &gradients);
  }
  void backward(Variable<T> output, FeatureView<const T> output_gradient) {
    sweep(output, output_gradient, nullptr);
  }
  /// dL/dx of an input() after backward(); zero if the loss does not depend on it.
  [[nodiscard]] FeatureView<const T> gradient(Variable<T> variable) {
    require_own(variable, "Tape::gradient");
    const Node& node = nodes_[index(variable.id_)];
    if (!node.keeps_gradient) {
      detail::fail<ConfigError>("Tape::gradient: the variable is of ", node.name,
                                ", expected one of Tape::input(), whose gradients alone are kept; ",
                                "parameters' are in the Gradients of backward()");
    }
    return zeroed_gradient(variable.id_);
  }

  /// Forgets the recording and keeps the memory. All variables become invalid.
  void reset() {
    destroy_operations();
    nodes_.clear();
    gradients_.clear();
    memory_.reset();
    maps_.reset();
    scratch_.reset();
    condition_.reset();
    dropout_ = {};
    dropped_maps_ = 0;
    of_parameters_ = nullptr;  // if an operation threw
    swept_ = false;
    ++recording_;
  }

  /// Name of the first operation whose output is not finite, with its position; empty if none.
  [[nodiscard]] std::string first_non_finite() const {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].is_gone) continue;
      for (const T value : nodes_[i].value) {
        if (std::isfinite(value)) continue;
        return std::string(nodes_[i].name) + " (operation " + std::to_string(i) + ")";
      }
    }
    return {};
  }

  /// The most bytes a step has used: values, saved state and gradients, and scratch.
  [[nodiscard]] std::size_t peak_bytes() const {
    std::size_t bytes = scratch_.peak() + prepared_.peak_bytes() + memory_.peak() + maps_.peak();
    for (const auto& worker : workers_) bytes += worker->peak_bytes();
    return bytes;
  }

 private:
  friend class Variable<T>;
  friend class Backward<T>;
  friend class MapPass<T>;

  struct Node {
    const char* name = "";
    FeatureView<T> value{};
    Index gradient = no_gradient;  ///< in gradients_
    const Parameter<T>* parameter = nullptr;
    Index* inputs = nullptr;
    Index input_count = 0;
    void* op = nullptr;
    void (*backward)(void*, Backward<T>&) = nullptr;
    void (*destroy)(void*) = nullptr;
    bool needs_gradient = false;
    bool keeps_gradient = false;
    bool is_gone = false;  ///< its memory was given back
  };
  static constexpr Index no_gradient = -1;

  void require_own(const Variable<T>& variable, const char* where) const {
    if (variable.tape_ != this) {
      detail::fail<ConfigError>(where, ": a variable is on another tape; use one tape a step");
    }
    static_cast<void>(node_of(variable));
  }
  [[nodiscard]] const Node& node_of(const Variable<T>& variable) const {
    const bool is_old = variable.recording_ != recording_;
    if (is_old || nodes_[index(variable.id_)].is_gone) [[unlikely]] {
      detail::fail<ConfigError>(
          "Variable: used after ",
          is_old ? "its tape was reset; compute it anew"
                 : "its memory was given back: a net that does not record keeps what run holds");
    }
    return nodes_[index(variable.id_)];
  }
  void give_back(Index block) {
    for (Node& node : nodes_) {
      if (!node.is_gone && maps_.find(node.value.data()) == block) node.is_gone = true;
    }
    maps_.give_back(block);
  }
  static std::size_t index(Index id) { return static_cast<std::size_t>(id); }
  [[nodiscard]] const Node& node(Index id) const { return nodes_[index(id)]; }
  /// Leaves look at memory the tape never writes.
  static FeatureView<T> unconst(FeatureView<const T> view) {
    return {const_cast<T*>(view.data()), view.shape()};
  }
  [[nodiscard]] const FeatureView<T>& value(const Variable<T>& variable) const {
    return node_of(variable).value;
  }
  Variable<T> add_node(const Node& node) {
    nodes_.push_back(node);
    return Variable<T>(*this, static_cast<Index>(nodes_.size()) - 1, recording_);
  }

  void sweep(Variable<T> loss, Gradients<T>* gradients) {
    if (loss.shape().count() != 1) {
      detail::fail<ShapeError>("Tape::backward: loss is ", loss.shape(),
                               ", expected one number (N=1, H=1, W=1, C=1); see mean() and sum()");
    }
    static constexpr T one{1};
    sweep(loss, FeatureView<const T>(&one, loss.shape()), gradients);
  }
  void sweep(Variable<T> output, FeatureView<const T> output_gradient, Gradients<T>* gradients) {
    require_own(output, "Tape::backward");
    if (!options_.record) {
      detail::fail<ConfigError>("Tape::backward: the tape does not record; make it with ",
                                "TapeOptions::record = true");
    }
    if (output.shape() != output_gradient.shape()) {
      detail::fail<ShapeError>("Tape::backward: output_gradient is ", output_gradient.shape(),
                               ", expected ", output.shape());
    }
    if (std::exchange(swept_, true)) {
      detail::fail<ConfigError>("Tape::backward: the tape was swept already; call reset() and ",
                                "run forward again");
    }
    if (!nodes_[index(output.id_)].needs_gradient) return;
    of_parameters_ = gradients;
    const auto claim = claim_gradient(output.id_);
    std::transform(claim.gradient.begin(), claim.gradient.end(), output_gradient.begin(),
                   claim.gradient.begin(),
                   [&](const T& old, T d) { return claim.fresh ? d : old + d; });
    for (Index id = output.id_; id >= 0; --id) {
      Node& node = nodes_[index(id)];
      if (node.backward == nullptr || node.gradient == no_gradient) continue;
      Backward<T> context(*this, id);
      const Scratch scratch(scratch_);
      node.backward(node.op, context);
      if (!node.keeps_gradient) release(nodes_[index(id)]);
    }
    of_parameters_ = nullptr;
  }
  [[nodiscard]] bool is_kept(const Parameter<T>& parameter) const {
    return of_parameters_ != nullptr && of_parameters_->contains(parameter);
  }
  FeatureView<T> gradient_of(const Parameter<T>& parameter) {
    if (is_kept(parameter)) return (*of_parameters_)[parameter];
    return {scratch_.template allocate_zero<T>(parameter.size()), parameter.shape()};
  }

  typename Backward<T>::Claim claim_gradient(Index id) {
    Node& node = nodes_[index(id)];
    if (node.parameter != nullptr && is_kept(*node.parameter)) {
      return {(*of_parameters_)[*node.parameter], false};
    }
    const bool fresh = node.gradient == no_gradient;
    if (fresh) {
      node.gradient = gradients_.take(workspace(), node.value.size());
    } else if (gradients_.is_shared(node.gradient)) {  // and about to be written
      const T* const shared = gradients_.data(node.gradient);
      release(node);
      node.gradient = gradients_.take(workspace(), node.value.size());
      std::copy_n(shared, node.value.size(), gradients_.data(node.gradient));
    }
    return {gradient_of(node), fresh};
  }
  FeatureView<T> gradient_of(const Node& node) const {
    return {gradients_.data(node.gradient), node.value.shape()};
  }
  FeatureView<T> zeroed_gradient(Index id) {
    const auto [gradient, fresh] = claim_gradient(id);
    if (fresh) std::fill(gradient.begin(), gradient.end(), T{0});
    return gradient;
  }
  void pass_gradient(const Node& from, Index to) {
    Node& node = nodes_[index(to)];
    const bool is_elsewhere = node.parameter != nullptr && is_kept(*node.parameter);
    if (!is_elsewhere && node.gradient == no_gradient) {
      node.gradient = from.gradient;
      gradients_.share(node.gradient);
      return;
    }
    const T* const dy = gradient_of(from).data();
    const FeatureView<T> dx = claim_gradient(to).gradient;
    std::transform(dx.begin(), dx.end(), dy, dx.begin(), std::plus<T>());
  }
  void release(Node& node) {
    gradients_.release(node.gradient);
    node.gradient = no_gradient;
  }
  void destroy_operations() {
    for (const Node& node : nodes_) {
      if (node.destroy != nullptr) node.destroy(node.op);
    }
  }

  TapeOptions options_;
  Workspace memory_;        ///< of a recording: values, saved state, operations, gradients
  detail::MapMemory maps_;  ///< without one: values
  Workspace scratch_;       ///< what one forward or backward needs while it runs
  std::vector<Node> nodes_;
  detail::GradientMemory<T> gradients_;
  Gradients<T>* of_parameters_ = nullptr;  ///< in a sweep
  std::optional<Variable<T>> condition_;
  StepDropout dropout_;
  std::uint32_t dropped_maps_ = 0;
  std::vector<std::unique_ptr<Tape>> workers_;
  detail::Prepared prepared_;
  bool keeps_prepared_ = false;
  bool swept_ = false;
  Index recording_ = 0;  ///< how often it was reset
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
