// SPDX-License-Identifier: Apache-2.0
//
// Reads a program, section once, then section body `count` times, and gives each instruction to the
// queue of its unit, with its index in the program and what the iteration adds to its offset.
//
//   program_walker --> reads of 64 bytes --> read master
//            ... beats --> buffer --> word_assembler --> instruction_queues
//
// Handshake: start_i, one cycle when finished_o; the parameters hold until finished_o again. The
// stream contract on commands, beats and queues. Only what the buffer has room for is asked for:
// beat_ready_o is never low while a beat is coming, so fetch holds up nobody who shares the reads.
// A beat every cycle, and one cycle between instructions.
// Latency: memory's + 6 cycles + the beats of an instruction.
// finished_o: nothing is left to be given to the queues, which are empty_o.
// still_o: nothing will be until a queue takes something, if ever.
// Errors: failure_o stays until reset, which is the way on; no instruction from that one on is
// given out.
// Relies on sections of whole instructions, at an address of whole AXI words.

module fetch
  import cnnaccel_pkg::*;
#(
  parameter int unsigned QueueDepth = 4,  // of each queue, a power of two
  parameter int unsigned Pieces     = 8   // of 64 bytes that the buffer holds, a power of two
) (
  input logic clk_i,
  input logic rst_ni,

  input logic     start_i,   // one cycle
  input request_t request_i, // holds until finished_o

  output logic          cmd_valid_o,   // a command is offered
  input  logic          cmd_ready_i,   // it is taken
  output read_command_t cmd_o,         // a piece of the program
  input  logic          beat_valid_i,  // a beat is offered
  output logic          beat_ready_o,  // it is taken
  input  read_beat_t    beat_i,        // of the pieces, in order

  output logic           [2:0] valid_o,    // by unit, as ready_i and the entries
  input  logic           [2:0] ready_i,    // it is taken
  output load_entry_t          load_o,     // load's next instruction
  output compute_entry_t       compute_o,  // compute's
  output store_entry_t         store_o,    // store's

  output u32_t     iteration_o,  // of body: begun since start_i
  output logic     finished_o,   // nothing is left for the queues
  output logic     empty_o,      // the queues are
  output logic     still_o,      // nothing comes to the queues until one of them is read
  output failure_t failure_o     // until reset
);

  localparam int unsigned PieceBytes = 64;
  localparam int unsigned PieceBeats = PieceBytes / InputLanes;
  localparam int unsigned BeatBits = $clog2(PieceBeats);
  localparam int unsigned RecordBeats = $bits(compute_t) / WordBits;
  localparam int unsigned CountBits = $clog2(RecordBeats + 1);
  localparam int unsigned RoomBits = $clog2(Pieces + 1);
  if ($bits(compute_t) != 16 * PieceBytes || $bits(load_t) != 8 * PieceBytes) begin : gen_check
    $error("fetch: instructions are two pieces or one, not %0d bits", $bits(compute_t));
  end

  // -- Reads ------------------------------------------------------------------------------------

  logic asking, ask_last, unused_body;
  axi_address_t address_q, body_address_q;
  logic [RoomBits-1:0] room_q;  // pieces that were not asked for, or have been used

  wire ask = cmd_valid_o && cmd_ready_i;
  logic piece_q;  // a cycle after the last beat of a piece
  program_walker u_asking (
    .clk_i,
    .rst_ni,
    .start_i,
    .request_i,
    .valid_o(asking),
    .next_i (ask),
    .body_o (unused_body),
    .last_o (ask_last)
  );

  assign cmd_valid_o = asking && room_q != '0;
  assign cmd_o       = '{address: address_q, bytes: 32'(PieceBytes)};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) room_q <= RoomBits'(Pieces);
    else room_q <= room_q - RoomBits'(ask) + RoomBits'(piece_q);
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      address_q      <= request_i.address;
      body_address_q <= request_i.address + AddressBits'(request_i.once_bytes);
    end else if (ask) begin
      address_q <= ask_last ? body_address_q : address_q + AddressBits'(PieceBytes);
    end
  end

  // -- Buffer -----------------------------------------------------------------------------------

  logic beat_valid, beat_error, unknown, unused_ready, taken;
  logic [WordBits-1:0] beat;
  logic first_q;  // it is the first of an instruction; then it must be known
  logic [BeatBits-1:0] beat_q;  // of its piece
  logic second_q;  // piece of a compute instruction
  logic using, use_body, use_last, unused_empty, record_valid, record_ready;
  logic [2:0] unit_q;  // of the instruction

  wire bad = beat_error || (first_q && unknown);
  wire wanted = !bad && !record_valid;  // a bad one stays

  registered_fifo #(
    .Width(WordBits + 2),
    .Depth(Pieces * PieceBeats)
  ) u_buffer (
    .clk_i,
    .rst_ni,
    .valid_i(beat_valid_i),
    .ready_o(beat_ready_o),
    .data_i ({beat_i.error, !is_opcode(beat_i.data[4:0]), beat_i.data}),
    .valid_o(beat_valid),
    .ready_i(wanted),
    .data_o ({beat_error, unknown, beat}),
    .empty_o(unused_empty)
  );

  assign taken = beat_valid && wanted;
  wire piece_out = taken && beat_q == BeatBits'(PieceBeats - 1);
  wire second = unit_q[UnitCompute] && !second_q;  // the next piece is its

  program_walker u_using (
    .clk_i,
    .rst_ni,
    .start_i,
    .request_i,
    .valid_o(using),
    .next_i (piece_q),
    .body_o (use_body),
    .last_o (use_last)
  );

  // -- Instructions -----------------------------------------------------------------------------

  logic [8*2*PieceBytes-1:0] record;
  u32_t index, next_index, input_advance, output_advance, error_index_q;
  error_e error_q;
  logic began_q;  // a cycle after an instruction's first beat

  word_assembler #(
    .BeatBits(WordBits),
    .MaxBeats(RecordBeats)
  ) u_assembler (
    .clk_i,
    .rst_ni,
    .beats_i     (unit_q[UnitCompute] ? CountBits'(RecordBeats) : CountBits'(PieceBeats)),
    .beat_valid_i(taken),
    .beat_ready_o(unused_ready),
    .beat_data_i (beat),
    .word_valid_o(record_valid),
    .word_ready_i(record_ready),
    .word_o      (record)
  );

  instruction_counter u_counter (
    .clk_i,
    .rst_ni,
    .start_i,
    .request_i,
    .began_i         (began_q),
    .body_i          (use_body),
    .pass_ends_i     (piece_q && use_last),
    .index_o         (index),
    .next_index_o    (next_index),
    .input_advance_o (input_advance),
    .output_advance_o(output_advance),
    .iteration_o
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) begin
      beat_q   <= '0;
      first_q  <= 1'b1;
      piece_q  <= 1'b0;
      began_q  <= 1'b0;
      second_q <= 1'b0;
      error_q  <= ErrorNone;
    end else begin
      piece_q <= piece_out;
      began_q <= taken && first_q;
      if (taken) beat_q <= beat_q + BeatBits'(1);
      if (taken) first_q <= piece_out && !second;
      if (piece_out) second_q <= second;
      if (beat_valid && bad && error_q == ErrorNone) begin
        error_q <= beat_error ? ErrorRead : ErrorOpcode;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (taken && first_q) unit_q <= beat[4:2];
    if (error_q == ErrorNone) error_index_q <= first_q || began_q ? next_index : index;
  end

  // -- Queues -----------------------------------------------------------------------------------

  logic [2:0] queue_ready;

  assign record_ready = |(queue_ready & unit_q);

  instruction_queues #(
    .Depth(QueueDepth)
  ) u_queues (
    .clk_i,
    .rst_ni,
    .valid_i         (unit_q & {3{record_valid}}),
    .ready_o         (queue_ready),
    .record_i        (record),
    .index_i         (index),
    .input_advance_i (input_advance),
    .output_advance_i(output_advance),
    .valid_o,
    .ready_i,
    .load_o,
    .compute_o,
    .store_o,
    .empty_o
  );

  assign finished_o = !using && !record_valid;
  assign still_o    = finished_o || (record_valid && !record_ready);
  assign failure_o  = '{code: error_q, index: error_index_q};

endmodule
