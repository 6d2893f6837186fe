// SPDX-License-Identifier: Apache-2.0
//
// What `axi_lite_regs` promises of hosts that obey AXI4-Lite: its channels, and of register word
// number word_q, any, what is read.

module axi_lite_regs_props
  import cnnaccel_pkg::*;
(
  input logic            clk_i,
  input logic            rst_ni,
  input logic            axi_awvalid_i,
  input logic            axi_awready_o,
  input logic     [ 7:0] axi_awaddr_i,
  input logic            axi_wvalid_i,
  input logic            axi_wready_o,
  input logic     [31:0] axi_wdata_i,
  input logic     [ 3:0] axi_wstrb_i,
  input logic            axi_bvalid_o,
  input logic            axi_bready_i,
  input logic     [ 1:0] axi_bresp_o,
  input logic            axi_arvalid_i,
  input logic            axi_arready_o,
  input logic     [ 7:0] axi_araddr_i,
  input logic            axi_rvalid_o,
  input logic            axi_rready_i,
  input logic     [31:0] axi_rdata_o,
  input logic     [ 1:0] axi_rresp_o,
  input logic            start_o,
  input logic            reset_o,
  input logic            interrupt_o,
  input request_t        request_o,
  input buffer_t         buffers_o    [                                            4],
  input status_t         status_i,
  input logic     [31:0] iteration_i,
  input logic     [31:0] waiting_i,
  input logic     [63:0] counters_i   [                                            8],
  input logic     [31:0] values_q     [(32'(RegCycles) - 32'(RegProgramAddress)) / 4],
  input logic     [ 1:0] enable_q,
  input logic     [ 1:0] pending_q
);

  starts_in_reset u_reset (
    .clk_i,
    .rst_ni
  );

  // -- One response for each request -------------------------------------------------------------

  stream_contract #(
    .Width (8),
    .Assume(1'b1)
  ) u_aw (
    .clk_i,
    .rst_ni,
    .valid_i(axi_awvalid_i),
    .ready_i(axi_awready_o),
    .data_i (axi_awaddr_i)
  );
  stream_contract #(
    .Width (32 + 4),
    .Assume(1'b1)
  ) u_w (
    .clk_i,
    .rst_ni,
    .valid_i(axi_wvalid_i),
    .ready_i(axi_wready_o),
    .data_i ({axi_wdata_i, axi_wstrb_i})
  );
  stream_contract #(
    .Width (8),
    .Assume(1'b1)
  ) u_ar (
    .clk_i,
    .rst_ni,
    .valid_i(axi_arvalid_i),
    .ready_i(axi_arready_o),
    .data_i (axi_araddr_i)
  );
  stream_contract #(
    .Width(2)
  ) u_b (
    .clk_i,
    .rst_ni,
    .valid_i(axi_bvalid_o),
    .ready_i(axi_bready_i),
    .data_i (axi_bresp_o)
  );
  stream_contract #(
    .Width(32 + 2)
  ) u_r (
    .clk_i,
    .rst_ni,
    .valid_i(axi_rvalid_o),
    .ready_i(axi_rready_i),
    .data_i ({axi_rdata_o, axi_rresp_o})
  );

  wire write = axi_awvalid_i && axi_awready_o;
  wire read = axi_arvalid_i && axi_arready_o;
  logic owes_b_q, owes_r_q;

  always_ff @(posedge clk_i) begin
    owes_b_q <= rst_ni && (write || (owes_b_q && !axi_bready_i));
    owes_r_q <= rst_ni && (read || (owes_r_q && !axi_rready_i));
  end

  // A response comes in the cycle after its address, and its data, were taken: neither before
  // (A3.3.1), nor later, be BREADY and RREADY ever so low. Nor does an address wait for them, but
  // while a response does.
  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      b_for_each_write: assert (axi_bvalid_o == owes_b_q);
      r_for_each_read:  assert (axi_rvalid_o == owes_r_q);
      one_at_a_time_b:  assert (!write || !axi_bvalid_o || axi_bready_i);
      one_at_a_time_r:  assert (!read || !axi_rvalid_o || axi_rready_i);
      together:         assert (write == (axi_wvalid_i && axi_wready_o));
      both_together:    assert (axi_awready_o == axi_wready_o);
      read_at_once:     assert (read || !axi_arvalid_i || axi_rvalid_o);
      okay:             assert (axi_bresp_o == 2'b00 && axi_rresp_o == 2'b00);
    end
    if (rst_ni && $past(rst_ni)) begin
      write_at_once:  assert (write || !$past(axi_awvalid_i && axi_wvalid_i && !write
                                              && (!axi_bvalid_o || axi_bready_i)));
    end
    if (rst_ni && $past(rst_ni) && $past(rst_ni, 2)) begin
      early_data_c:  cover (write && $past(axi_wvalid_i && !axi_awvalid_i, 2));
      early_addr_c:  cover (write && $past(!axi_wvalid_i && axi_awvalid_i, 2));
      stalled_b_c:   cover (write && $past(axi_bvalid_o && !axi_bready_i, 2));
      write_each_second_c: cover (write && $past(write, 2));
      read_each_second_c:  cover (read && $past(read, 2));
    end
  end
  // verilog_format: on

  // -- What is read ------------------------------------------------------------------------------

  logic [5:0] word_q;  // never reset: any number, and it stays
  logic [31:0] value_q;
  logic [3:0] known_q;  // bytes that were ever written
  logic [1:0] done_failed_q, may_interrupt_q, interrupts_q;

  wire [1:0] done_failed = {status_i.failed, status_i.done};
  wire hits = write && axi_awaddr_i[7:2] == word_q;
  wire written = write && axi_wstrb_i[0];
  wire control = written && axi_awaddr_i[7:2] == RegControl[7:2];
  wire enable = written && axi_awaddr_i[7:2] == RegInterruptEnable[7:2];
  wire clear = written && axi_awaddr_i[7:2] == RegInterruptStatus[7:2];
  wire stored   = word_q >= RegProgramAddress[7:2] && word_q < RegCycles[7:2]
                  && word_q != RegIteration[7:2];
  wire counter = word_q >= RegCycles[7:2] && word_q <= RegWrittenBytes[7:2] + 6'd1;
  wire [5:0] of_counters = word_q - RegCycles[7:2];
  wire [63:0] counter_value = counters_i[of_counters[3:1]];

  always_ff @(posedge clk_i) begin
    word_q <= word_q;
    for (int unsigned b = 0; b < 4; b++) begin
      if (hits && axi_wstrb_i[b]) begin
        value_q[8*b +: 8] <= axi_wdata_i[8*b +: 8];
        known_q[b] <= 1'b1;
      end
    end
    if (enable) may_interrupt_q <= axi_wdata_i[1:0];
    interrupts_q <= (interrupts_q & ~(clear ? axi_wdata_i[1:0] : 2'b00))
                    | (done_failed & ~done_failed_q);
    done_failed_q <= done_failed;
    if (!rst_ni) begin
      known_q         <= '0;
      done_failed_q   <= '0;
      may_interrupt_q <= '0;
      interrupts_q    <= '0;
    end
  end

  logic [31:0] expected, mask, mask_q, expected_q;

  always_comb begin
    mask     = '1;
    expected = '0;
    if (word_q == RegId[7:2]) expected = Magic;
    if (word_q == RegVersion[7:2]) expected = FormatVersion;
    if (word_q == RegDigest[7:2]) expected = Digest[31:0];
    if (word_q == RegDigest[7:2] + 6'd1) expected = Digest[63:32];
    if (word_q == RegStatus[7:2]) begin
      expected[StatusBusy]   = status_i.busy;
      expected[StatusDone]   = status_i.done;
      expected[StatusFailed] = status_i.failed;
    end
    if (word_q == RegError[7:2]) expected = 32'(status_i.failure.code);
    if (word_q == RegFailingInstruction[7:2]) expected = status_i.failure.index;
    if (word_q == RegInterruptEnable[7:2]) expected = 32'(may_interrupt_q);
    if (word_q == RegInterruptStatus[7:2]) expected = 32'(interrupts_q);
    if (word_q == RegIteration[7:2]) expected = iteration_i;
    if (word_q == RegWaiting[7:2]) expected = waiting_i;
    if (counter) expected = of_counters[0] ? counter_value[63:32] : counter_value[31:0];
    if (stored) begin
      expected = value_q;
      mask     = {{8{known_q[3]}}, {8{known_q[2]}}, {8{known_q[1]}}, {8{known_q[0]}}};
    end
  end

  logic owes_word_q;  // the response to come is of word word_q

  always_ff @(posedge clk_i) begin
    if (read) begin
      owes_word_q <= axi_araddr_i[7:2] == word_q;
      expected_q  <= expected;
      mask_q      <= mask;
    end
  end

  wire value_matters = stored && known_q == '1;

  // verilog_format: off  (a table of properties)
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      reads_as_written: assert (!axi_rvalid_o || !owes_word_q
                                || (axi_rdata_o & mask_q) == (expected_q & mask_q));
      interrupts:       assert (interrupt_o == |(interrupts_q & may_interrupt_q));
      once_bytes:       assert (word_q != RegOnceBytes[7:2] || !value_matters
                                || request_o.once_bytes == value_q);
      body_bytes:       assert (word_q != RegBodyBytes[7:2] || !value_matters
                                || request_o.body_bytes == value_q);
      count:            assert (word_q != RegCount[7:2] || !value_matters || request_o.count == value_q);
      input_stride:     assert (word_q != RegInputStride[7:2] || !value_matters
                                || request_o.input_stride == value_q);
      output_stride:    assert (word_q != RegOutputStride[7:2] || !value_matters
                                || request_o.output_stride == value_q);
      program_address:  assert (word_q != RegProgramAddress[7:2] || !value_matters
                                || request_o.address[31:0] == value_q);
      // For induction.
      enable_same:  assert (enable_q == may_interrupt_q);
      pending_same: assert (pending_q == interrupts_q);
      stored_c:  cover (axi_rvalid_o && owes_word_q && stored && mask_q == '1 && expected_q != '0);
      counter_c: cover (axi_rvalid_o && owes_word_q && counter && of_counters[0]);
      nothing_c: cover (axi_rvalid_o && owes_word_q && &word_q);
      interrupt_c: cover (interrupt_o && $past(clear));
    end
    if (rst_ni && $past(rst_ni)) begin
      starts: assert (start_o == $past(control && axi_wdata_i[ControlStart]
                                       && !axi_wdata_i[ControlReset] && !status_i.busy));
      resets: assert (reset_o == $past(control && axi_wdata_i[ControlReset]));
      start_once: assert (!start_o || !$past(start_o));
      start_c: cover (start_o);
      reset_c: cover (reset_o && $past(axi_wdata_i[ControlStart]));
      start_ignored_c: cover ($past(control && axi_wdata_i[ControlStart] && status_i.busy));
    end
  end
  // verilog_format: on

  for (genvar b = 0; b < 4; b++) begin : gen_four
    // verilog_format: off  (a table of properties)
    always_ff @(posedge clk_i) begin
      if (rst_ni) begin
        base: assert (32'(word_q) != 32'(RegWeightsAddress[7:2]) + 2 * b || !value_matters
                      || buffers_o[b].base[31:0] == value_q);
        size: assert (32'(word_q) != 32'(RegWeightsBytes[7:2]) + b || !value_matters
                      || buffers_o[b].bytes == value_q);
        // For induction.
        value_same: assert (!stored || !known_q[b]
            || values_q[word_q - RegProgramAddress[7:2]][8*b +: 8] == value_q[8*b +: 8]);
      end
    end
    // verilog_format: on
  end

endmodule

bind axi_lite_regs axi_lite_regs_props u_props (.*);
