// SPDX-License-Identifier: Apache-2.0
//
// The address channel of an AXI master: ranges, cut by `burst_splitter`, go out one burst at a
// time. issue_o says that a burst enters the channel, and with it the queue of those under way. It
// comes a cycle before the burst is offered: who follows it waits for nobody to take the address.
//
// Handshake: the stream contract on ranges and channel; queue_ready_i says that the queue has room.
// While flush_i, the range is forgotten and nothing is issued. Latency: 2 cycles.
// idle_o: no burst is on its way out.

module burst_issue #(
  parameter int unsigned WordBytes   = 8,   // C, a power of two up to 16
  parameter int unsigned AddressBits = 32,  // of an AXI address
  parameter int unsigned InfoBits    = 1    // of what goes along with a range
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic flush_i,  // forget the range, issue nothing
  output logic idle_o,   // no burst is on its way out

  input  logic                   range_valid_i,    // a range is offered
  output logic                   range_ready_o,    // it is taken
  input  logic [AddressBits-1:0] range_address_i,  // bits below a word are ignored
  input  logic [           31:0] range_beats_i,    // words, from 1 up
  input  logic [   InfoBits-1:0] range_info_i,     // comes with its bursts

  input  logic                queue_ready_i,  // there is room for a burst under way
  output logic                issue_o,        // one cycle: a burst is issued
  output logic                issue_last_o,   // of its range
  output logic [InfoBits-1:0] issue_info_o,   // that of its range
  output logic [         7:0] issue_len_o,    // beats - 1, as AXI has it

  output logic                   axi_valid_o,  // a burst is offered
  input  logic                   axi_ready_i,  // it is taken
  output logic [AddressBits-1:0] axi_addr_o,   // the first byte
  output logic [            7:0] axi_len_o     // beats - 1, as AXI has it
);

  logic burst_valid, burst_ready;
  logic [AddressBits-1:0] burst_address;
  logic [7:0] burst_len;

  burst_splitter #(
    .WordBytes  (WordBytes),
    .AddressBits(AddressBits),
    .InfoBits   (InfoBits)
  ) u_splitter (
    .clk_i,
    .rst_ni,
    .flush_i,
    .range_valid_i,
    .range_ready_o,
    .range_address_i,
    .range_beats_i,
    .range_info_i,
    .burst_valid_o  (burst_valid),
    .burst_ready_i  (burst_ready),
    .burst_address_o(burst_address),
    .burst_len_o    (burst_len),
    .burst_last_o   (issue_last_o),
    .burst_info_o   (issue_info_o)
  );

  assign burst_ready = queue_ready_i && (!axi_valid_o || axi_ready_i);
  assign issue_o     = burst_valid && burst_ready && !flush_i;
  assign issue_len_o = burst_len;
  assign idle_o      = !burst_valid && !axi_valid_o;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      axi_valid_o <= 1'b0;
    end else if (!axi_valid_o || axi_ready_i) begin
      axi_valid_o <= issue_o;
    end
  end

  always_ff @(posedge clk_i) begin
    if (issue_o) begin
      axi_addr_o <= burst_address;
      axi_len_o  <= burst_len;
    end
  end

endmodule
