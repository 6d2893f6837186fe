// SPDX-License-Identifier: Apache-2.0
//
// Reads a program, section once, then section body `count` times, and gives each instruction to the
// queue of its unit, with its index in the program and what the iteration adds to its offset.
//
//   program_walker --> reads of 64 bytes --> read master
//            ... beats --> buffer --> word_assembler --> load, compute, store queues
//
// Handshake: start_i, one cycle when finished_o; the parameters hold until finished_o again. The
// stream contract on commands, beats and queues. Only what the buffer has room for is asked for:
// beat_ready_o is never low while a beat is coming, so fetch holds up nobody who shares the reads.
// A beat every cycle, and one cycle between instructions. Latency: memory's + 6 cycles + the beats of an instruction.
// finished_o: nothing is left to be given to the queues, which are empty_o. still_o: nothing will be
// until a queue takes something, if ever.
// Errors: error_o stays other than ErrorNone until reset, which is the way on; error_index_o names
// the instruction; no instruction from that one on is given out.
// Relies on sections of whole instructions, at an address of whole AXI words.

module fetch
  import cnnaccel_pkg::*;
#(
  parameter int unsigned QueueDepth = 4,  // of each queue, a power of two
  parameter int unsigned Pieces     = 8   // of 64 bytes that the buffer holds, a power of two
) (
  input logic clk_i,
  input logic rst_ni,

  input logic                   start_i,
  input logic [AddressBits-1:0] program_address_i,
  input logic [           31:0] once_bytes_i,
  input logic [           31:0] body_bytes_i,
  input logic [           31:0] count_i,
  input logic [           31:0] input_stride_i,
  input logic [           31:0] output_stride_i,

  output logic                   cmd_valid_o,
  input  logic                   cmd_ready_i,
  output logic [AddressBits-1:0] cmd_address_o,
  output logic [           31:0] cmd_bytes_o,
  input  logic                   beat_valid_i,
  output logic                   beat_ready_o,
  input  logic [   WordBits-1:0] beat_data_i,
  input  logic                   beat_error_i,

  output logic     [ 2:0] valid_o,             // by unit, as are the next
  input  logic     [ 2:0] ready_i,
  output logic     [31:0] index_o        [3],
  output load_t           load_o,
  output logic     [31:0] load_advance_o,
  output compute_t        compute_o,
  output store_t          store_o,
  output logic     [31:0] store_advance_o,

  output logic   [31:0] iteration_o,   // of body: begun since start_i
  output logic          finished_o,
  output logic          empty_o,
  output logic          still_o,
  output error_e        error_o,
  output logic   [31:0] error_index_o
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
  logic [AddressBits-1:0] body_address_q;
  logic [RoomBits-1:0] room_q;  // pieces that were not asked for, or have been used

  wire ask = cmd_valid_o && cmd_ready_i;
  logic piece_q;  // a cycle after the last beat of a piece
  program_walker u_asking (
    .clk_i,
    .rst_ni,
    .start_i,
    .once_pieces_i(once_bytes_i[31:6]),
    .body_pieces_i(body_bytes_i[31:6]),
    .count_i,
    .valid_o      (asking),
    .next_i       (ask),
    .body_o       (unused_body),
    .last_o       (ask_last)
  );

  assign cmd_valid_o = asking && room_q != '0;
  assign cmd_bytes_o = 32'(PieceBytes);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) room_q <= RoomBits'(Pieces);
    else room_q <= room_q - RoomBits'(ask) + RoomBits'(piece_q);
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      cmd_address_o  <= program_address_i;
      body_address_q <= program_address_i + AddressBits'(once_bytes_i);
    end else if (ask) begin
      cmd_address_o <= ask_last ? body_address_q : cmd_address_o + AddressBits'(PieceBytes);
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
    .data_i ({beat_error_i, !is_opcode(beat_data_i[4:0]), beat_data_i}),
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
    .once_pieces_i(once_bytes_i[31:6]),
    .body_pieces_i(body_bytes_i[31:6]),
    .count_i,
    .valid_o      (using),
    .next_i       (piece_q),
    .body_o       (use_body),
    .last_o       (use_last)
  );

  // -- Instructions -----------------------------------------------------------------------------

  logic [8*2*PieceBytes-1:0] record;
  logic [31:0] index_q, next_index_q, body_index_q;
  logic [31:0] input_advance_q, output_advance_q, input_q, output_q;
  logic in_body_q, began_q;  // a cycle after an instruction's first beat

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

  wire begins = began_q && use_body && !in_body_q;  // an iteration
  wire pass_ends = piece_q && use_last;  // no instruction begins in this cycle
  function automatic logic [31:0] saturating(input logic [31:0] a, input logic [31:0] b);
    logic [32:0] sum = {1'b0, a} + {1'b0, b};
    return sum[32] ? '1 : sum[31:0];
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) begin
      beat_q           <= '0;
      first_q          <= 1'b1;
      piece_q          <= 1'b0;
      began_q          <= 1'b0;
      second_q         <= 1'b0;
      next_index_q     <= '0;
      body_index_q     <= '0;
      input_advance_q  <= '0;
      output_advance_q <= '0;
      in_body_q        <= 1'b0;
      error_o          <= ErrorNone;
    end else begin
      piece_q <= piece_out;
      began_q <= taken && first_q;
      if (taken) beat_q <= beat_q + BeatBits'(1);
      if (taken) first_q <= piece_out && !second;
      if (piece_out) second_q <= second;
      // An index grows with the first beat of an instruction; body begins with that of once's end.
      if (began_q) next_index_q <= next_index_q + 32'd1;
      if (begins) {in_body_q, body_index_q} <= {1'b1, next_index_q};
      if (pass_ends && use_body) begin
        in_body_q        <= 1'b0;
        next_index_q     <= body_index_q;
        input_advance_q  <= saturating(input_advance_q, input_stride_i);
        output_advance_q <= saturating(output_advance_q, output_stride_i);
      end
      if (beat_valid && bad && error_o == ErrorNone) begin
        error_o <= beat_error ? ErrorRead : ErrorOpcode;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    // Of interest after a failure, which resets all else.
    if (start_i) iteration_o <= '0;
    else if (begins) iteration_o <= iteration_o + 32'd1;

    if (taken && first_q) unit_q <= beat[4:2];
    if (began_q) begin
      index_q  <= next_index_q;
      input_q  <= input_advance_q;
      output_q <= output_advance_q;
    end
    if (error_o == ErrorNone) error_index_o <= first_q || began_q ? next_index_q : index_q;
  end

  // -- Queues -----------------------------------------------------------------------------------

  load_t short;  // load and store begin alike
  logic [2:0] queue_ready, queue_empty;
  logic [31:0] advance;
  assign short        = record[$bits(compute_t)-1 -: $bits(load_t)];
  assign record_ready = |(queue_ready & unit_q);

  always_comb begin
    advance = '0;
    if (short.advances && short.base == BaseInput) advance = input_q;
    if (short.advances && short.base == BaseOutput) advance = output_q;
  end

  registered_fifo #(
    .Width(64 + $bits(load_t)),
    .Depth(QueueDepth)
  ) u_load (
    .clk_i,
    .rst_ni,
    .valid_i(record_valid && unit_q[UnitLoad]),
    .ready_o(queue_ready[UnitLoad]),
    .data_i ({index_q, advance, short}),
    .valid_o(valid_o[UnitLoad]),
    .ready_i(ready_i[UnitLoad]),
    .data_o ({index_o[UnitLoad], load_advance_o, load_o}),
    .empty_o(queue_empty[UnitLoad])
  );

  registered_fifo #(
    .Width(32 + $bits(compute_t)),
    .Depth(QueueDepth)
  ) u_compute (
    .clk_i,
    .rst_ni,
    .valid_i(record_valid && unit_q[UnitCompute]),
    .ready_o(queue_ready[UnitCompute]),
    .data_i ({index_q, record}),
    .valid_o(valid_o[UnitCompute]),
    .ready_i(ready_i[UnitCompute]),
    .data_o ({index_o[UnitCompute], compute_o}),
    .empty_o(queue_empty[UnitCompute])
  );

  registered_fifo #(
    .Width(64 + $bits(store_t)),
    .Depth(QueueDepth)
  ) u_store (
    .clk_i,
    .rst_ni,
    .valid_i(record_valid && unit_q[UnitStore]),
    .ready_o(queue_ready[UnitStore]),
    .data_i ({index_q, advance, short}),
    .valid_o(valid_o[UnitStore]),
    .ready_i(ready_i[UnitStore]),
    .data_o ({index_o[UnitStore], store_advance_o, store_o}),
    .empty_o(queue_empty[UnitStore])
  );

  assign finished_o = !using && !record_valid;
  assign still_o    = finished_o || (record_valid && !record_ready);
  assign empty_o    = &queue_empty;

  wire unused_bytes = ^body_bytes_i[5:0];  // sections are whole pieces

endmodule
