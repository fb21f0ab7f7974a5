#!/usr/bin/env bash
# Makes the two shipped clips, media/picture.mpegts and media/picture-low.mpegts: one loop of the test picture each.
#
# 19.2 s is 480 frames at 25 fps, 10 closed groups of 48 frames and 900 AAC frames of 1024 samples at 48 kHz, so picture and audio loop without a gap.
# The simulator takes the frames from these files and multiplexes them with its own clock. The files play in any player; they are not named .ts, because
# every tool here takes .ts for TypeScript. Needs ffmpeg with libx264 and drawtext, and a TrueType font (FONT=…), only to make the clips again.
set -euo pipefail
cd "$(dirname "$0")/../media"

FONT="${FONT:-$(fc-match --format '%{file}' 'DejaVu Sans Mono:bold' 2>/dev/null || true)}"
[ -f "$FONT" ] || { echo "make-clip: no font at $FONT: set FONT to a TrueType file" >&2; exit 1; }

# size, video kb/s, audio kb/s, file
make_clip() {
  local width=$1 height=$2 video=$3 audio=$4 file=$5
  local unit=$((height / 18))
  local band="drawbox=x=0:y=ih*0.34:w=iw:h=ih*0.34:color=black@0.72:t=fill"
  local title="drawtext=fontfile=$FONT:text='SIMULATED ACESTREAM ENGINE':fontcolor=white:fontsize=$((unit * 3 / 2)):x=(w-tw)/2:y=h*0.37"
  local clock="drawtext=fontfile=$FONT:text='%{pts\\:hms}':fontcolor=yellow:fontsize=$((unit * 2)):x=(w-tw)/2:y=h*0.47"
  local note="drawtext=fontfile=$FONT:text='test picture - not a broadcast - frame %{n}':fontcolor=white:fontsize=$((unit * 5 / 6)):x=(w-tw)/2:y=h*0.61"
  # A white flash on every beep shows lip sync; 1.2 s fits 16 times into the loop.
  local flash="drawbox=x=iw*0.9:y=ih*0.38:w=iw*0.06:h=iw*0.06:color=white:t=fill:enable='between(mod(t,1.2),0.6,0.7)'"
  ffmpeg -hide_banner -loglevel warning -nostdin -y \
    -f lavfi -i "testsrc2=size=${width}x${height}:rate=25:duration=19.2" \
    -f lavfi -i "aevalsrc=exprs='0.15*sin(2*PI*440*t)*between(mod(t,1.2),0.6,0.7)':sample_rate=48000:channel_layout=stereo:duration=19.2" \
    -filter_complex "[0:v]eq=saturation=0.7:brightness=-0.1,$band,$title,$clock,$note,$flash,format=yuv420p[v]" -map '[v]' -map 1:a \
    -c:v libx264 -preset veryslow -profile:v high -bf 2 -b:v "${video}k" -maxrate "$((video * 11 / 10))k" -bufsize "${video}k" \
    -x264-params keyint=48:min-keyint=48:scenecut=0:open-gop=0 \
    -c:a aac -b:a "${audio}k" -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact \
    -f mpegts "$file"
}

make_clip 640 360 760 64 picture.mpegts
make_clip 480 270 230 48 picture-low.mpegts
ls -l picture.mpegts picture-low.mpegts
