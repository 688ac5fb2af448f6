# SPDX-License-Identifier: Apache-2.0
# puad's choice of a slot, run by U-Boot at each power-on; bootloader/backends/uboot.py writes what it
# reads. It is made into /boot.scr of the boot partition (mkimage -T script -d boot.cmd boot.scr), and
# needs devtype, devnum and distro_bootpart, which U-Boot's distro_bootcmd sets.
#
# A slot can boot when its entry /puad/SLOT.env is there and every boot file that it names. One that
# is good, or has tries left, comes before one that has none; among equals the first of BOOT_ORDER,
# or the one armed last when there is no BOOT_ORDER.
# A try is counted and saved before it is made. A slot that is good is not counted, so nothing is
# written for it. When counting fails, the other slot comes first: a slot that is not good and not
# counted could otherwise fail for ever.
# BOOT_PIN names a slot that goes first whatever its counter says.
# puad_boot, if it is set, is what starts a kernel; puad_ramdisk is its initrd or "-". puad_save, if it
# is set, is what saves the environment where saveenv cannot.
#
# A local variable cannot be set to nothing, so values that may be empty are kept with an x in front.

puad_part="${devtype} ${devnum}:${distro_bootpart}"
puad_fdt="${fdt_addr}"
if test -z "${puad_fdt}"; then puad_fdt="${fdtcontroladdr}"; fi

# Ranks: 2 may boot, 1 is the last resort, 0 cannot boot.
for puad_s in a b; do
  puad_rank=0
  puad_left=x${BOOT_a_LEFT}
  if test ${puad_s} = b; then puad_left=x${BOOT_b_LEFT}; fi
  env delete -f puad_good puad_order puad_kernel puad_initrd puad_options
  if load ${puad_part} ${kernel_addr_r} /puad/${puad_s}.env; then
    env import -t ${kernel_addr_r} ${filesize} puad_good puad_order puad_kernel puad_initrd
  fi
  if test "${puad_kernel}" = linux -o "${puad_kernel}" = uki; then
    if size ${puad_part} /puad/${puad_s}/${puad_kernel}; then
      if test "${filesize}" != 0; then puad_rank=1; fi
    fi
    if test "${puad_initrd}" = 1; then
      if size ${puad_part} /puad/${puad_s}/initrd; then
        if test "${filesize}" = 0; then puad_rank=0; fi
      else
        puad_rank=0
      fi
    fi
  fi
  if test ${puad_rank} = 1; then
    if test "${puad_good}" = 1; then puad_rank=2; fi
    for puad_digit in 1 2 3 4 5 6 7 8 9; do
      if test "${puad_left}" = x${puad_digit}; then puad_rank=2; fi
    done
  fi
  puad_o=0
  if test -n "${puad_order}"; then puad_o=${puad_order}; fi
  if test ${puad_s} = a; then puad_rank_a=${puad_rank}; puad_order_a=${puad_o}; fi
  if test ${puad_s} = b; then puad_rank_b=${puad_rank}; puad_order_b=${puad_o}; fi
done
puad_newest="a b"
if test ${puad_order_b} -gt ${puad_order_a}; then puad_newest="b a"; fi

puad_later_a=0
puad_later_b=0
for puad_round in pin 2 1 later; do
  for puad_s in ${BOOT_ORDER} ${puad_newest}; do
    puad_rank=0
    puad_go=0
    if test ${puad_s} = a; then
      puad_rank=${puad_rank_a}; puad_later=${puad_later_a}
      puad_left=x${BOOT_a_LEFT}; puad_done=x${BOOT_a_DONE}
    fi
    if test ${puad_s} = b; then
      puad_rank=${puad_rank_b}; puad_later=${puad_later_b}
      puad_left=x${BOOT_b_LEFT}; puad_done=x${BOOT_b_DONE}
    fi
    if test ${puad_round} = pin; then
      if test ${puad_rank} != 0 -a "${BOOT_PIN}" = ${puad_s}; then puad_go=1; fi
    elif test ${puad_round} = later; then
      if test ${puad_rank} != 0; then puad_go=${puad_later}; fi
    elif test ${puad_rank} = ${puad_round}; then
      puad_go=1
    fi
    if test ${puad_go} = 1; then
      load ${puad_part} ${kernel_addr_r} /puad/${puad_s}.env
      env import -t ${kernel_addr_r} ${filesize} puad_good puad_order puad_kernel puad_initrd puad_options
      setenv bootargs "${puad_options}"
      puad_kind=${puad_kernel}
      puad_with_initrd=x${puad_initrd}
      puad_is_good=x${puad_good}
      env delete -f puad_good puad_order puad_kernel puad_initrd puad_options
      # U-Boot has no arithmetic that stays decimal
      puad_next=none
      puad_did=9
      puad_before=0
      for puad_digit in 1 2 3 4 5 6 7 8 9; do
        if test "${puad_left}" = x${puad_digit}; then puad_next=${puad_before}; fi
        if test "${puad_done}" = x${puad_before}; then puad_did=${puad_digit}; fi
        puad_before=${puad_digit}
      done
      if test "${puad_is_good}" = x1; then puad_next=none; fi
      if test ${puad_round} = pin -o ${puad_round} = later; then puad_next=none; fi
      if test ${puad_next} != none; then
        setenv BOOT_${puad_s}_LEFT ${puad_next}
        setenv BOOT_${puad_s}_DONE ${puad_did}
        puad_go=0
        if test -n "${puad_save}"; then
          if run puad_save; then puad_go=1; fi
        elif saveenv; then
          puad_go=1
        fi
        if test ${puad_go} = 0; then echo "puad: the try cannot be counted"; fi
      fi
      if test ${puad_s} = a -a ${puad_go} = 1; then puad_rank_a=0; fi
      if test ${puad_s} = b -a ${puad_go} = 1; then puad_rank_b=0; fi
      if test ${puad_s} = a -a ${puad_go} = 0; then puad_later_a=1; fi
      if test ${puad_s} = b -a ${puad_go} = 0; then puad_later_b=1; fi
    fi
    if test ${puad_go} = 1; then
      echo "puad: slot ${puad_s}"
      puad_ramdisk=-
      if test "${puad_with_initrd}" = x1; then
        if load ${puad_part} ${ramdisk_addr_r} /puad/${puad_s}/initrd; then
          puad_ramdisk=${ramdisk_addr_r}:${filesize}
        else
          puad_go=0
        fi
      fi
      if load ${puad_part} ${kernel_addr_r} /puad/${puad_s}/${puad_kind}; then
        true
      else
        puad_go=0
      fi
      if test ${puad_go} = 0; then
        echo "puad: a boot file cannot be read"
      elif test ${puad_kind} = uki; then
        bootefi ${kernel_addr_r} ${puad_fdt}
      elif test -n "${puad_boot}"; then
        run puad_boot
      elif test "${cpu}" = armv8 -o "${arch}" = riscv; then
        booti ${kernel_addr_r} ${puad_ramdisk} ${puad_fdt}
      else
        bootz ${kernel_addr_r} ${puad_ramdisk} ${puad_fdt}
      fi
    fi
  done
done

echo "puad: no slot can be booted"
sleep 60
reset
