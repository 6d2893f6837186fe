// SPDX-License-Identifier: Apache-2.0
//
// Executes STORE as docs/isa.md defines it.
//
//   instr --+--> run_commands ------------------------------------> write master's commands
//           +--> word_walker --> act read --> words, a fifo ------> write master's data
//
// Handshake: the stream contract on instructions, act reads, commands and data. act answers reads
// in order, any number of cycles later, with act_valid_i, which has no ready: never more words are
// asked for than there is room for. Read addresses wrap; act_log2_l_o says in which bank a word
// lies. Up to Jobs instructions wait for their responses. A word every cycle if act answers within
// Words - 2 cycles.
// done_o: one cycle for each instruction, in order, when the AXI response to its last write has
// come; signal_to_o with it.
// Errors: error_o stays other than ErrorNone until reset; error_index_o names the instruction. From
// then on done_o stays low. An instruction with ErrorAddress has written at most its runs before
// the one that leaves the buffer.
// Relies on buffers, offsets and strides of whole AXI words, which is checked.

module store
  import cnnaccel_pkg::*;
#(
  parameter int unsigned Jobs  = 4,  // a power of two
  parameter int unsigned Words = 16  // of act on their way, a power of two
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic                     instr_valid_i,
  output logic                     instr_ready_o,
  input  store_t                   instr_i,
  input  logic   [           31:0] instr_index_i,       // in the program, for error_index_o
  // The iteration adds so many bytes to dram_offset; all ones if 32 bits hold no more.
  input  logic   [           31:0] instr_advance_i,
  input  logic   [AddressBits-1:0] base_i         [4],  // of the buffers, by base_e
  input  logic   [           31:0] size_i         [4],  // bytes

  output logic                        act_read_valid_o,
  input  logic                        act_read_ready_i,
  output act_address_t                act_address_o,
  output u2_t                         act_log2_l_o,
  input  logic                        act_valid_i,
  input  logic         [WordBits-1:0] act_data_i,

  output logic                   cmd_valid_o,
  input  logic                   cmd_ready_i,
  output logic [AddressBits-1:0] cmd_address_o,
  output logic [           31:0] cmd_words_o,
  output logic                   cmd_last_o,
  output logic                   data_valid_o,
  input  logic                   data_ready_i,
  output logic [   WordBits-1:0] data_o,
  input  logic                   write_done_i,
  input  logic                   write_error_i,

  output logic          done_o,
  output u3_t           signal_to_o,
  output logic          busy_o,
  output error_e        error_o,
  output logic   [31:0] error_index_o
);

  localparam int unsigned PlacedBits = $clog2(Words + 1);

  typedef struct packed {
    logic [31:0] index;
    u3_t         signal_to;
  } job_t;

  // -- Instructions -----------------------------------------------------------------------------

  logic commands_ready, jobs_ready, job_valid, range_error;
  logic reading_q, last;
  logic [31:0] cmd_bytes, range_index;
  job_t job;
  u16_t run_words_q, distance_q;
  s20_t stride_q;
  u2_t interleave_q;

  assign instr_ready_o = commands_ready && jobs_ready && !reading_q;
  wire accept = instr_valid_i && instr_ready_o;
  wire [31:0] run_bytes = (32'(instr_i.run_words) + 32'd1) * 32'(InputLanes);

  run_commands #(
    .WordBytes  (InputLanes),
    .AddressBits(AddressBits)
  ) u_commands (
    .clk_i,
    .rst_ni,
    .valid_i      (instr_valid_i && jobs_ready && !reading_q),
    .ready_o      (commands_ready),
    .offset_i     (instr_i.dram_offset),
    .advance_i    (instr_advance_i),
    .stride_i     (instr_i.dram_stride),
    .runs_i       (instr_i.runs),
    .bytes_i      (run_bytes),
    .whole_words_i(1'b1),
    .index_i      (instr_index_i),
    .base_i       (base_i[instr_i.base]),
    .size_i       (size_i[instr_i.base]),
    .cmd_valid_o,
    .cmd_ready_i,
    .cmd_address_o,
    .cmd_bytes_o  (cmd_bytes),
    .cmd_last_o,
    .error_o      (range_error),
    .error_index_o(range_index)
  );
  assign cmd_words_o = cmd_bytes >> $clog2(InputLanes);

  fifo #(
    .Width($bits(job_t)),
    .Depth(Jobs)
  ) u_jobs (
    .clk_i,
    .rst_ni,
    .valid_i(accept),
    .ready_o(jobs_ready),
    .data_i ({instr_index_i, instr_i.signal_to}),
    .valid_o(job_valid),
    .ready_i(write_done_i),
    .data_o (job)
  );

  // -- Words ------------------------------------------------------------------------------------

  // Words asked for and not yet given to the write master have their place in the fifo.
  logic [PlacedBits-1:0] placed_q;
  logic words_ready;
  u20_t address;

  wire asked = act_read_valid_o && act_read_ready_i;
  wire given = data_valid_o && data_ready_i;

  word_walker u_walker (
    .clk_i,
    .start_i      (!reading_q),
    .address_i    (instr_i.address),
    .inner_i      (5'd1),
    .middle_i     (reading_q ? run_words_q : instr_i.run_words),
    .outer_i      (instr_i.runs),
    .inner_step_i ('0),
    .middle_step_i(distance_q),
    .outer_step_i (stride_q),
    .next_i       (asked),
    .address_o    (address),
    .last_o       (last)
  );
  assign act_address_o = act_address_t'(address);

  fifo #(
    .Width(WordBits),
    .Depth(Words)
  ) u_words (
    .clk_i,
    .rst_ni,
    .valid_i(act_valid_i),
    .ready_o(words_ready),
    .data_i (act_data_i),
    .valid_o(data_valid_o),
    .ready_i(data_ready_i),
    .data_o (data_o)
  );

  assign act_read_valid_o = reading_q && placed_q != PlacedBits'(Words);
  assign act_log2_l_o = interleave_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      reading_q <= 1'b0;
      placed_q  <= '0;
    end else begin
      reading_q <= accept || (reading_q && !(asked && last));
      placed_q  <= placed_q + PlacedBits'(asked) - PlacedBits'(given);
    end
  end

  // What is offered, so that none of this waits for its tokens.
  always_ff @(posedge clk_i) begin
    if (!reading_q) begin
      run_words_q  <= instr_i.run_words;
      distance_q   <= instr_i.distance;
      stride_q     <= instr_i.stride;
      interleave_q <= instr_i.interleave;
    end
  end

  // -- Done and errors --------------------------------------------------------------------------

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      done_o  <= 1'b0;
      error_o <= ErrorNone;
    end else begin
      done_o <= write_done_i && !write_error_i && error_o == ErrorNone;
      if (error_o == ErrorNone) begin
        if (write_error_i) error_o <= ErrorWrite;
        else if (range_error) error_o <= ErrorAddress;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    signal_to_o <= job.signal_to;
    if (error_o == ErrorNone) error_index_o <= write_error_i ? job.index : range_index;
  end

  assign busy_o = job_valid;

  // Addresses wrap.
  logic unused_bits;
  assign unused_bits = ^{instr_i, address};

`ifndef SYNTHESIS
  words_have_room :
  assert property (@(posedge clk_i) disable iff (!rst_ni) act_valid_i |-> words_ready)
  else $error("store: a word that was not asked for");
`else
  logic unused_ready;
  assign unused_ready = words_ready;
`endif

endmodule
