// The words of the steps; see words.js. The Khmer needs a native reader.

const vi = {
  lastFour: "4 số cuối điện thoại đã khai",
  secret: "Hoặc mã tra cứu trên biên nhận",
  show: "Xem thêm",
  mobile: "Số điện thoại di động",
  consent: "Bấm Gửi mã là đồng ý nhận tin nhắn về hồ sơ này. Muốn ngừng, nhắn HUY và mã hồ sơ.",
  send: "Gửi mã",
  sent: ["Mã 6 chữ số được gửi đến ", ", dùng được đến "],
  pin: "Mã 6 chữ số",
  confirm: "Xác nhận",
  followed: "Từ nay số điện thoại này nhận được tin nhắn khi hồ sơ thay đổi.",
};

const en = {
  lastFour: "Last 4 digits of the telephone number given",
  secret: "Or the look-up secret on the receipt",
  show: "See more",
  mobile: "Mobile number",
  consent: "By pressing Send code you agree to get messages about this dossier. To stop, text HUY and the dossier code.",
  send: "Send code",
  sent: ["A code of 6 digits is sent to ", ", good until "],
  pin: "Code of 6 digits",
  confirm: "Confirm",
  followed: "From now on this number gets a message when the dossier changes.",
};

const km = {
  lastFour: "លេខ 4 ខ្ទង់ចុងក្រោយនៃលេខទូរសព្ទដែលបានផ្ដល់",
  secret: "ឬលេខសម្ងាត់លើបង្កាន់ដៃ",
  show: "មើលបន្ថែម",
  mobile: "លេខទូរសព្ទដៃ",
  consent: "ពេលចុច ផ្ញើលេខកូដ លោកអ្នកយល់ព្រមទទួលសារអំពីសំណុំរឿងនេះ។ ចង់ឈប់ សូមផ្ញើ HUY និងលេខសំណុំរឿង។",
  send: "ផ្ញើលេខកូដ",
  sent: ["លេខកូដ 6 ខ្ទង់បានផ្ញើទៅលេខ ", " ប្រើបានដល់ "],
  pin: "លេខកូដ 6 ខ្ទង់",
  confirm: "បញ្ជាក់",
  followed: "ចាប់ពីពេលនេះ លេខនេះនឹងទទួលសារពេលសំណុំរឿងប្រែប្រួល។",
};

export const wordsOfSteps = { vi, en, km };
