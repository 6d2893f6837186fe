// SPDX-License-Identifier: Apache-2.0
//
// Executes LOAD_ACT, LOAD_WGT, LOAD_PAR and UNFOLD as docs/isa.md defines them.
//
//   entry --+--> load_commands --> read master ...
//           +--> jobs --> word_walker -----------------> address --+--> load_end --> act, done
//            ... beats --+--> word_assembler --> word -------------+--> wgt
//                        +--> unfold ----------> word -------------+--> par
//
// Handshake: the stream contract on instructions, commands, beats and write ports. An instruction
// is taken once its tokens are; up to Jobs of them are under way, so that the reads of the next
// follow those of the last without a gap. Write addresses wrap; act_o says in which bank a word of
// act lies. A written word is there for whoever reads in a later cycle than done_o.
// done_o: one cycle for each instruction, in order, after its last write was taken; signal_to_o
// with it.
// Latency: memory's + LoadCycles from instruction to the first write, 1 less for wgt and par; 1
// from the last to done_o, or 2.
// Errors: failure_o stays until reset. From then on done_o stays low; instructions under way still
// take their beats, but nothing is read for an instruction after one with ErrorAddress.
// Relies on buffers, offsets and strides of whole AXI words, which is checked; UNFOLD's may be any.

module load
  import cnnaccel_pkg::*;
#(
  parameter int unsigned Jobs = 4  // under way at most, a power of two
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic        entry_valid_i,    // an instruction is offered
  output logic        entry_ready_o,    // it is taken
  input  load_entry_t entry_i,          // with its tokens
  input  buffer_t     buffers_i    [4], // by base_e

  output logic          cmd_valid_o,   // a command is offered
  input  logic          cmd_ready_i,   // it is taken
  output read_command_t cmd_o,         // what is to be read
  input  logic          beat_valid_i,  // a beat is offered
  output logic          beat_ready_o,  // it is taken
  input  read_beat_t    beat_i,        // of the commands, in order

  output logic       act_valid_o,  // a write of act is offered
  input  logic       act_ready_i,  // it is taken
  output act_write_t act_o,        // a word, by address
  output logic       wgt_valid_o,  // a write of wgt is offered
  input  logic       wgt_ready_i,  // it is taken
  output wgt_write_t wgt_o,        // a word, by address
  output logic       par_valid_o,  // a write of par is offered
  input  logic       par_ready_i,  // it is taken
  output par_write_t par_o,        // a word, by address

  output logic     done_o,       // one cycle
  output u3_t      signal_to_o,  // with done_o: the units that get a token
  output logic     busy_o,       // an instruction is taken and not done
  output failure_t failure_o     // until reset
);

  localparam int unsigned WgtBeats = OutputLanes;
  localparam int unsigned ParBeats = $bits(par_word_t) / WordBits;
  localparam int unsigned MaxBeats = WgtBeats > ParBeats ? WgtBeats : ParBeats;
  localparam int unsigned Top = MaxBeats * WordBits - 1;  // words end there
  localparam int unsigned CountBits = $clog2(MaxBeats + 1);
  if ($bits(par_word_t) % WordBits != 0 || LoadLatency != LoadCycles) begin : gen_check
    $error("load: par words of %0d bits; words after %0d cycles", $bits(par_word_t), LoadLatency);
  end

  typedef struct packed {
    logic        is_unfold;  // these three: what the opcode says, so that nothing waits for it
    logic        is_wgt;
    logic        is_par;
    logic [31:0] index;
    load_t       instr;
  } job_t;

  // -- Reads ------------------------------------------------------------------------------------

  logic commands_ready, jobs_ready, range_error;
  u32_t range_index;

  assign entry_ready_o = commands_ready && jobs_ready;

  load_commands u_commands (
    .clk_i,
    .rst_ni,
    .entry_valid_i(entry_valid_i && jobs_ready),
    .entry_ready_o(commands_ready),
    .entry_i,
    .buffers_i,
    .cmd_valid_o,
    .cmd_ready_i,
    .cmd_o,
    .error_o      (range_error),
    .error_index_o(range_index)
  );

  job_t job_in, job;
  load_t instr;
  logic job_valid, finish, jobs_empty;

  assign job_in = '{
          is_unfold: entry_i.instr.opcode == OpcodeUnfold,
          is_wgt: entry_i.instr.opcode == OpcodeLoadWgt,
          is_par: entry_i.instr.opcode == OpcodeLoadPar,
          index: entry_i.index,
          instr: entry_i.instr
      };

  registered_fifo #(
    .Width($bits(job_t)),
    .Depth(Jobs)
  ) u_jobs (
    .clk_i,
    .rst_ni,
    .valid_i(entry_valid_i && commands_ready),
    .ready_o(jobs_ready),
    .data_i (job_in),
    .valid_o(job_valid),
    .ready_i(finish),
    .data_o (job),
    .empty_o(jobs_empty)
  );

  // -- Words ------------------------------------------------------------------------------------

  logic active_q, ended_q, unfold_idle, last;  // ended: the last word was written
  logic assembler_beat_ready, assembler_valid, unfold_beat_ready, unfold_valid;
  logic word_valid, word_ready, beat_valid, beat_ready, end_ready, end_empty;
  read_beat_t beat;
  word_t unfold_word, act_word;
  logic [MaxBeats*WordBits-1:0] word;
  logic [CountBits-1:0] word_beats;
  u20_t address;

  skid_buffer #(
    .Width($bits(read_beat_t))
  ) u_beats (
    .clk_i,
    .rst_ni,
    .valid_i(beat_valid_i),
    .ready_o(beat_ready_o),
    .data_i (beat_i),
    .valid_o(beat_valid),
    .ready_i(beat_ready),
    .data_o (beat)
  );

  assign instr = job.instr;
  wire start = job_valid && !active_q;
  wire written = word_valid && word_ready;

  // Beats behind the last word are the next job's; those behind UNFOLD's last column are still its.
  wire beats_over = ended_q || (assembler_valid && last);
  wire feed = active_q && !job.is_unfold && !beats_over;
  wire ends = active_q && ((written && last) || ended_q) && (unfold_idle || !job.is_unfold);

  assign finish     = ends && end_ready;
  assign beat_ready = unfold_beat_ready || (feed && assembler_beat_ready);
  assign word_valid = job.is_unfold ? unfold_valid : assembler_valid;
  assign word_ready = job.is_wgt ? wgt_ready_i : job.is_par ? par_ready_i : end_ready;
  assign word_beats = job.is_wgt ? CountBits'(WgtBeats)
                    : job.is_par ? CountBits'(ParBeats) : CountBits'(1);

  word_walker u_walker (
    .clk_i,
    .start_i      (!active_q),
    .address_i    (instr.address),
    .inner_i      (job.is_unfold ? instr.column_words : 5'd1),
    .middle_i     (job.is_unfold ? 16'(instr.columns) - 16'd1 : instr.run_words),
    .outer_i      (instr.runs),
    .inner_step_i (instr.plane),
    .middle_step_i(instr.distance),
    .outer_step_i (instr.stride),
    .next_i       (written),
    .address_o    (address),
    .last_o       (last)
  );

  word_assembler #(
    .BeatBits(WordBits),
    .MaxBeats(MaxBeats)
  ) u_assembler (
    .clk_i,
    .rst_ni,
    .beats_i     (word_beats),
    .beat_valid_i(beat_valid && feed),
    .beat_ready_o(assembler_beat_ready),
    .beat_data_i (beat.data),
    .word_valid_o(assembler_valid),
    .word_ready_i(word_ready && !job.is_unfold),
    .word_o      (word)
  );

  unfold u_unfold (
    .clk_i,
    .rst_ni,
    .start_i     (start && job.is_unfold),
    .idle_o      (unfold_idle),
    .instr_i     (instr),
    .beat_valid_i(beat_valid),
    .beat_ready_o(unfold_beat_ready),
    .beat_i      (beat),
    .word_valid_o(unfold_valid),
    .word_ready_i(end_ready),
    .word_o      (unfold_word)
  );

  assign act_word    = job.is_unfold ? unfold_word : word[Top-:WordBits];
  assign wgt_valid_o = word_valid && job.is_wgt;
  assign par_valid_o = word_valid && job.is_par;
  assign wgt_o       = '{address: wgt_address_t'(address), data: word[Top-:$bits(wgt_word_t)]};
  assign par_o       = '{address: par_address_t'(address), data: word[Top-:$bits(par_word_t)]};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      ended_q  <= 1'b0;
    end else begin
      active_q <= start || (active_q && !finish);
      ended_q  <= !finish && (ended_q || (written && last));
    end
  end

  load_end u_end (
    .clk_i,
    .rst_ni,
    .write_i      (word_valid && !job.is_wgt && !job.is_par),
    .ends_i       (ends),
    .ready_o      (end_ready),
    .item_i       ({act_address_t'(address), instr.interleave, act_word}),
    .signal_to_i  (instr.signal_to),
    .empty_o      (end_empty),
    .read_error_i (beat_valid && beat_ready && beat.error),
    .read_index_i (job.index),
    .range_error_i(range_error),
    .range_index_i(range_index),
    .act_valid_o,
    .act_ready_i,
    .act_o,
    .done_o,
    .signal_to_o,
    .failure_o
  );

  assign busy_o = !jobs_empty || !end_empty;

  // Addresses wrap.
  logic unused_bits;
  assign unused_bits = ^{instr, address};

endmodule
