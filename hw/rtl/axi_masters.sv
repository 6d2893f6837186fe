// SPDX-License-Identifier: Apache-2.0
//
// The engine's way to DRAM: reads of two clients, fetch (0) and load (1), and writes of store.
//
//   reads --> axi_read_arbiter --> skid_buffer --> axi_read_master --> beats, to whom they belong
//   writes, data --> axi_write_master --> done, error
//
// Handshake: the stream contract on commands, beats, data and AXI channels. A beat and a word every
// cycle.
// Latency: ReadIssueLatency cycles from a read's command to AR, 1 from R to its beat; of writes as
// `axi_write_master` has it. The clients may be reset alone, by core_rst_ni, while flush_i lasts:
// until idle_o the masters then end what AXI does not take back, as they say themselves.

module axi_masters
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic core_rst_ni,  // of the clients, and of what holds their commands
  input  logic flush_i,      // begin nothing; what comes is dropped
  output logic idle_o,       // nothing is under way

  input  logic          [1:0] read_valid_i,     // by client, as the next four
  output logic          [1:0] read_ready_o,     // it is taken
  input  read_command_t       read_i      [2],  // what is to be read
  output logic          [1:0] beat_valid_o,     // a beat is offered, to one of them
  input  logic          [1:0] beat_ready_i,     // it is taken
  output read_beat_t          beat_o,           // of the client that has the valid

  input  logic           write_valid_i,  // a command is offered
  output logic           write_ready_o,  // it is taken
  input  write_command_t write_i,        // where the next words go
  input  logic           data_valid_i,   // a word is offered
  output logic           data_ready_o,   // it is taken
  input  word_t          data_i,         // words of the commands, in order
  output logic           write_done_o,   // one cycle: a command with `last` is written
  output logic           write_error_o,  // one cycle: a response was an error

  // AXI4, channel by channel.
  output logic                          axi_arvalid_o,
  input  logic                          axi_arready_i,  // AR: it is taken
  output axi_address_t                  axi_araddr_o,   // AR: the first byte
  output logic         [           7:0] axi_arlen_o,    // AR: beats - 1
  input  logic                          axi_rvalid_i,   // R: a beat is offered
  output logic                          axi_rready_o,   // R: it is taken
  input  word_t                         axi_rdata_i,    // R: its bytes, the first lowest
  input  logic         [           1:0] axi_rresp_i,    // R: OKAY, or what went wrong
  input  logic                          axi_rlast_i,    // R: it is its burst's last
  output logic                          axi_awvalid_o,  // AW: an address to write to is offered
  input  logic                          axi_awready_i,  // AW: it is taken
  output axi_address_t                  axi_awaddr_o,   // AW: the first byte
  output logic         [           7:0] axi_awlen_o,    // AW: beats - 1
  output logic                          axi_wvalid_o,   // W: a beat is offered
  input  logic                          axi_wready_i,   // W: it is taken
  output word_t                         axi_wdata_o,    // W: its bytes, the first lowest
  output logic         [InputLanes-1:0] axi_wstrb_o,    // W: which of them are written
  output logic                          axi_wlast_o,    // W: it is its burst's last
  input  logic                          axi_bvalid_i,   // B: a response is offered
  output logic                          axi_bready_o,   // B: it is taken
  input  logic         [           1:0] axi_bresp_i     // B: OKAY, or what went wrong
);

  typedef struct packed {
    logic          tag;      // the client
    read_command_t command;
  } tagged_t;

  logic ask_valid, ask_ready, cmd_valid, cmd_ready, got_valid, got_ready, got_tag;
  logic read_idle, write_idle;
  tagged_t asked, cmd;

  axi_read_arbiter u_arbiter (
    .clk_i,
    .rst_ni      (core_rst_ni),
    .cmd_valid_i (read_valid_i),
    .cmd_ready_o (read_ready_o),
    .cmd_i       (read_i),
    .cmd_valid_o (ask_valid),
    .cmd_ready_i (ask_ready),
    .cmd_o       (asked.command),
    .cmd_tag_o   (asked.tag),
    .beat_valid_i(got_valid),
    .beat_ready_o(got_ready),
    .beat_tag_i  (got_tag),
    .beat_valid_o,
    .beat_ready_i
  );

  skid_buffer #(
    .Width($bits(tagged_t))
  ) u_asked (
    .clk_i,
    .rst_ni (core_rst_ni),
    .valid_i(ask_valid),
    .ready_o(ask_ready),
    .data_i (asked),
    .valid_o(cmd_valid),
    .ready_i(cmd_ready),
    .data_o (cmd)
  );

  axi_read_master #(
    .WordBytes  (InputLanes),
    .AddressBits(AddressBits)
  ) u_read (
    .clk_i,
    .rst_ni,
    .flush_i,
    .idle_o       (read_idle),
    .cmd_valid_i  (cmd_valid && core_rst_ni),
    .cmd_ready_o  (cmd_ready),
    .cmd_address_i(cmd.command.address),
    .cmd_bytes_i  (cmd.command.bytes),
    .cmd_tag_i    (cmd.tag),
    .beat_valid_o (got_valid),
    .beat_ready_i (got_ready),
    .beat_data_o  (beat_o.data),
    .beat_offset_o(beat_o.offset),
    .beat_last_o  (beat_o.last),
    .beat_error_o (beat_o.error),
    .beat_tag_o   (got_tag),
    .axi_arvalid_o,
    .axi_arready_i,
    .axi_araddr_o,
    .axi_arlen_o,
    .axi_rvalid_i,
    .axi_rready_o,
    .axi_rdata_i,
    .axi_rresp_i,
    .axi_rlast_i
  );

  axi_write_master #(
    .WordBytes  (InputLanes),
    .AddressBits(AddressBits)
  ) u_write (
    .clk_i,
    .rst_ni,
    .flush_i,
    .idle_o       (write_idle),
    .cmd_valid_i  (write_valid_i && core_rst_ni),
    .cmd_ready_o  (write_ready_o),
    .cmd_address_i(write_i.address),
    .cmd_words_i  (write_i.words),
    .cmd_last_i   (write_i.last),
    .data_valid_i (data_valid_i && core_rst_ni),
    .data_ready_o,
    .data_i,
    .done_o       (write_done_o),
    .error_o      (write_error_o),
    .axi_awvalid_o,
    .axi_awready_i,
    .axi_awaddr_o,
    .axi_awlen_o,
    .axi_wvalid_o,
    .axi_wready_i,
    .axi_wdata_o,
    .axi_wstrb_o,
    .axi_wlast_o,
    .axi_bvalid_i,
    .axi_bready_o,
    .axi_bresp_i
  );

  assign idle_o = read_idle && write_idle;

endmodule
